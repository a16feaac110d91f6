"""The rules of a configuration beyond each value's shape (RFC 8414 2, RFC 8707 2, RFC 6749 3.3)."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from mcplatch.config.settings import Config, RegisteredClient, Resource
from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.scope import parse_scope

_DATABASES: Final = ("sqlite:///", "postgresql://")


def mistakes_in(config: Config) -> tuple[str, ...]:
    """One sentence for each rule that the configuration breaks; empty when it can be used."""
    return tuple(_mistakes(config))


def notes_on(config: Config) -> tuple[str, ...]:
    """One sentence for each thing that works and is probably not meant."""
    notes = []
    if not is_loopback(config.listen.host) and not config.trusted_proxies:
        notes.append(
            f"{config.listen} is reached through a proxy that is not in trusted_proxies: "
            "limits for one address will count everybody together"
        )
    if not config.resources:
        notes.append("there is no [[resource]]: no token can be issued")
    notes += [
        f"resource {one.identifier} has no scopes: a person can allow nothing there"
        for one in config.resources
        if not one.scopes
    ]
    return tuple(notes)


def is_loopback(host: str) -> bool:
    """Whether a host, as written in an address, can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _mistakes(config: Config) -> Iterator[str]:
    yield from _address("issuer", config.issuer)
    if "?" in config.issuer:
        yield "issuer must not have a query"
    if config.issuer.startswith("http:") and not is_loopback(config.listen.host):
        yield (
            f"listen = {config.listen} would carry sign-ins in the clear: "
            "listen on a loopback address, or give the server an https issuer"
        )
    if not config.database.startswith(_DATABASES):
        yield f"database must start with {' or '.join(_DATABASES)}"
    yield from _proxies(config.trusted_proxies)
    yield from _lifetimes(config)
    for twice in _twice(resource.identifier for resource in config.resources):
        yield f"resource {twice} is configured twice"
    for resource in config.resources:
        yield from _resource(resource)
    for twice in _twice(client.client_id for client in config.clients):
        yield f"client {twice} is configured twice"
    for client in config.clients:
        yield from _client(client)


def _address(name: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield f"{name} is not an address: {url}"
        return
    if parts.scheme not in ("https", "http") or not host or not url.isascii() or " " in url:
        yield f"{name} must start with https:// (or http:// if its host is this machine): {url}"
    elif parts.scheme == "http" and not is_loopback(host):
        yield f"{name} must use https unless its host is this machine: {url}"
    if "#" in url:
        yield f"{name} must not have a fragment: {url}"
    if "@" in parts.netloc:
        yield f"{name} must not carry a user name: {url}"


def _proxies(proxies: tuple[str, ...]) -> Iterator[str]:
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            yield f"trusted_proxies: {proxy} is neither an address nor a network such as 10.0.0.0/8"


def _lifetimes(config: Config) -> Iterator[str]:
    last = config.lifetimes
    if last.retry_window > last.unconfirmed_retry_window:
        yield "lifetimes.retry_window must not be longer than lifetimes.unconfirmed_retry_window"
    if last.refresh_token_idle > last.refresh_token_absolute:
        yield "lifetimes.refresh_token_idle must not exceed lifetimes.refresh_token_absolute"
    if last.authorization_code > 600:
        yield "lifetimes.authorization_code must not be longer than 10 minutes"


def _resource(resource: Resource) -> Iterator[str]:
    at = f"resource {resource.identifier}"
    yield from _address(at, resource.identifier)
    for scope in resource.scopes:
        if isinstance(parsed := parse_scope(scope.name), Refusal) or parsed != (scope.name,):
            yield f"{at}: {scope.name!r} is not a scope name"
    for tool in _twice(tool for scope in resource.scopes for tool in scope.tools):
        yield f"{at}: the tool {tool} is in two scopes; it belongs to one"


def _client(client: RegisteredClient) -> Iterator[str]:
    at = f"client {client.client_id}"
    if client.client_id.startswith(("https://", "http://")):
        yield f"{at}: such an id is the address of a metadata document and is not added beforehand"
    if not client.redirect_uris:
        yield f"{at}: redirect_uris must have at least one address"
    for uri in client.redirect_uris:
        if not urlsplit(uri).scheme or "#" in uri:
            yield f"{at}: {uri} is not an absolute address without a fragment"


def _twice(names: Iterator[str]) -> Iterator[str]:
    return (name for name, times in Counter(names).items() if times > 1)

"""Judges configured addresses, and Host and Origin of requests (RFC 9110 4.2, MCP transports)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.resource_indicator import parse_resource
from mcplatch.protocol.resource_metadata import split

_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_PORT = re.compile(r":\d+\Z")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def authority(url: str) -> str:
    """Host and port of an absolute URL, lower case."""
    return split(url)[0].partition("://")[2].lower()


def is_loopback(host: str) -> bool:
    """Whether `host`, with or without a port, is this machine by name or number."""
    return _LOOPBACK.fullmatch(host) is not None


def is_secure(url: str) -> bool:
    """https, or http on loopback (RS-53)."""
    scheme = url.partition("://")[0].lower()
    return scheme == "https" or (scheme == "http" and is_loopback(authority(url)))


def check_resource(resource: str) -> str:
    """`resource`, unchanged. Raises ValueError when it cannot be one, and says why (RS-23)."""
    if not isinstance(resource, str) or isinstance(parse_resource(resource), Refusal):
        raise ValueError(f"resource {resource!r} is not an absolute http(s) URL without a fragment")
    origin, path, _ = split(resource)
    if origin != origin.lower():
        raise ValueError(f"write the resource in lower case up to the path: {origin.lower()}{path}")
    if path == "/":
        raise ValueError(f"leave out the slash after the host: {origin}")
    return check_secure(resource)


def check_secure(url: str) -> str:
    """`url`, unchanged. Raises ValueError when tokens would travel in clear (RS-53)."""
    if not is_secure(url):
        raise ValueError(f"{url!r} must be https; plain http is for localhost, 127.0.0.1 and [::1]")
    return url


@dataclass(frozen=True, slots=True)
class Doors:
    """Which Host and which Origin a request may name; compiled once, asked for every request."""

    hosts: frozenset[str]
    origins: frozenset[str]
    loopback: bool

    def admits_host(self, host: str) -> bool:
        """Whether the request was meant for us: DNS rebinding brings a foreign name (421)."""
        host = host.lower()
        return host in self.hosts or "*" in self.hosts or (self.loopback and is_loopback(host))

    def admits_origin(self, origin: str) -> bool:
        """Whether a page of `origin` may talk to us (403)."""
        origin = origin.lower()
        if origin in self.origins or "*" in self.origins:
            return True
        return self.loopback and is_loopback(origin.partition("://")[2])


def make_doors(resource: str, *, hosts: Iterable[str], origins: Iterable[str]) -> Doors:
    """Doors for `resource`: its own host and origin, any loopback spelling if it is on loopback,
    and what the operator adds; `*` opens a door.
    """
    origin = split(resource)[0].lower()
    host = authority(resource)
    scheme = origin.partition("://")[0]
    bare = host.removesuffix(_DEFAULT_PORT[scheme])
    spelled = {bare} if _PORT.search(bare) else {bare, bare + _DEFAULT_PORT[scheme]}
    return Doors(
        frozenset(spelled | {name.lower() for name in hosts}),
        frozenset({origin, f"{scheme}://{bare}"} | {name.lower() for name in origins}),
        is_loopback(host),
    )

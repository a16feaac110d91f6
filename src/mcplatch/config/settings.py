"""Everything an operator can set, as frozen dataclasses: all the rest sees of configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcplatch.config.values import (
    Listen,
    Rate,
    Secret,
    count,
    duration,
    listen,
    one_of,
    path,
    rate,
    secret,
    secret_key,
    switch,
    text,
    texts,
)

# The exact address that a widely used editor registers; any other has to be listed by the operator.
CURSOR_REDIRECT_URI: Final = "cursor://anysphere.cursor-mcp/oauth/callback"


def setting(read: Callable[[object], Any], says: str, /, *default: Any, key: str = "") -> Any:
    """One value: how it is read, one sentence for people, and what it is when nobody sets it."""
    about = {"read": read, "says": says, "key": key}
    return dataclasses.field(metadata=about, **({"default": default[0]} if default else {}))


def section(of: type[Any], says: str) -> Any:
    """A table of further settings."""
    return dataclasses.field(metadata={"section": of, "says": says, "key": ""}, default_factory=of)


def several(of: type[Any], says: str, key: str, named_by: str = "") -> Any:
    """Any number of tables: an array of them, or (named_by) one for each name."""
    about = {"several": of, "says": says, "key": key, "named_by": named_by}
    return dataclasses.field(metadata=about, default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One thing a person can allow a client to do, and the tools that doing it takes."""

    name: str = setting(text, "What clients ask for.")
    description: str = setting(text, "What it allows, in words for the consent page, after “may”.")
    group: str = setting(
        one_of("read", "change", "delete"), "How the consent page sorts it.", "read"
    )
    tools: tuple[str, ...] = setting(texts, "The tools that need it.", ())
    baseline: bool = setting(
        switch, "Always part of what is allowed; its box cannot be unticked.", False
    )
    ticked: bool = setting(switch, "Whether the consent page proposes it.", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A protected MCP server that this authorization server issues tokens for."""

    identifier: str = setting(text, "The address that clients connect to, exactly, with its path.")
    name: str = setting(text, "What people call it; shown when they are asked to allow something.")
    scopes: tuple[Scope, ...] = several(Scope, "What can be allowed there.", "scopes", "name")
    introspection_secret: Secret | None = setting(
        secret,
        "What the server itself signs in with to ask about a token; without it, it cannot.",
        None,
    )
    access_token_format: str = setting(
        one_of("jwt", "opaque"), "jwt can be verified there; opaque has to be asked about.", "jwt"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredClient:
    """A client that the operator knows by name and adds beforehand."""

    client_id: str = setting(text, "What the client calls itself in requests.", key="id")
    name: str = setting(text, "What people see.")
    redirect_uris: tuple[str, ...] = setting(texts, "Where people may be sent back to, exactly.")
    secret: Secret | None = setting(
        secret, "What the client signs in with; without it, it is public.", None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long things last, in seconds."""

    access_token: int = setting(duration, "An access token.", 600)
    authorization_code: int = setting(duration, "An authorization code.", 60)
    interaction: int = setting(duration, "A sign-in and consent that somebody has begun.", 600)
    refresh_token_idle: int = setting(duration, "A refresh token that nobody uses.", 30 * 86400)
    refresh_token_absolute: int = setting(
        duration, "A refresh token however much it is used.", 90 * 86400
    )
    retry_window: int = setting(
        duration, "How long a refresh may be repeated for the same answer.", 30
    )
    unconfirmed_retry_window: int = setting(
        duration, "The same, as long as nothing from that answer has been used.", 600
    )
    session: int = setting(duration, "A person's sign-in in the browser.", 12 * 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How clients that nobody added beforehand may become known."""

    dynamic: bool = setting(switch, "Clients may register themselves (RFC 7591).", True)
    documents: bool = setting(
        switch, "A client may be the https address of its metadata document.", True
    )
    private_use_redirects: tuple[str, ...] = setting(
        texts,
        "Redirect addresses of app schemes that are allowed, exactly.",
        (CURSOR_REDIRECT_URI,),
    )
    loopback_document_hosts: tuple[str, ...] = setting(
        texts,
        "host:port pairs on this machine whose metadata documents may be fetched (for tests).",
        (),
    )
    document_ca_file: Path | None = setting(
        path,
        "Certificates to trust for metadata documents beside the public ones (for tests).",
        None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one person, one address or one connection may ask for."""

    registrations_per_address: Rate = setting(
        rate,
        "Clients that register themselves from one address; ten times that from everywhere.",
        Rate(60, 60),
    )
    authorizations_per_address: Rate = setting(
        rate, "Authorizations that one address may start.", Rate(300, 60)
    )
    connections: int = setting(count, "Open connections; more are answered 503 and closed.", 2000)
    head_seconds: int = setting(duration, "How long a request's head may take to arrive.", 10)
    body_seconds: int = setting(duration, "How long a request's body may take to arrive.", 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration of `mcplatch serve`."""

    issuer: str = setting(
        text, "The public address of this authorization server, exactly as clients see it."
    )
    secret_key: Secret = setting(
        secret_key, "Seals everything kept at rest; losing it signs everybody out."
    )
    listen: Listen = setting(listen, "Where to accept connections.", Listen("127.0.0.1", 9000))
    database: str = setting(text, "sqlite:///FILE or postgresql://…", "sqlite:///mcplatch.db")
    admin_socket: Path = setting(
        path, "Where the operator's commands reach the running server.", Path("mcplatch.sock")
    )
    operator_name: str = setting(
        text, "Who runs this server, for the pages people see.", "mcplatch"
    )
    trusted_proxies: tuple[str, ...] = setting(
        texts, "Addresses whose X-Forwarded-For is believed.", ()
    )
    log_format: str = setting(one_of("console", "json"), "For people or for programs.", "console")
    log_requests: bool = setting(
        switch, "A line for every request; what matters is in the audit table anyway.", False
    )
    lifetimes: Lifetimes = section(Lifetimes, "How long things last.")
    registration: Registration = section(Registration, "How clients become known.")
    limits: Limits = section(Limits, "How much may be asked for.")
    resources: tuple[Resource, ...] = several(Resource, "The protected MCP servers.", "resource")
    clients: tuple[RegisteredClient, ...] = several(
        RegisteredClient, "Clients added beforehand.", "client"
    )

"""What a sign-in starts from: which server, and how it wants to be treated (all of it the caller's
choice).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mcplatch.client.errors import Untrusted

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
CLIENT_NAME = "mcplatch"
SERVER_ADDRESS = "server address"


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """One server and how to sign in to it.

    server_url: the MCP server, exactly as the person wrote it.
    scope: what to ask for; None means what the server says is needed (CL-34).
    client_id, client_secret, client_issuer: a client registered beforehand, and the only issuer it
        is for; `client_issuer` None means whichever authorization server the MCP server names.
    client_metadata_url: the https URL of a client metadata document, used where it is accepted.
    issuer: which of several authorization servers to use.
    accept_issuer: a name the authorization server may use instead of the right one (CL-6).
    send_resource: False for servers that refuse the `resource` parameter (CL-33).
    assume_pkce: True for servers that do S256 but do not say so (CL-30).
    allow_http: True to let plain HTTP be used beyond this machine.
    """

    server_url: str
    scope: tuple[str, ...] | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_issuer: str | None = None
    token_endpoint_auth_method: str | None = None
    client_metadata_url: str | None = None
    client_name: str = CLIENT_NAME
    issuer: str | None = None
    accept_issuer: str | None = None
    send_resource: bool = True
    assume_pkce: bool = False
    allow_http: bool = False


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`, lower case, default port left out; for comparing."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def is_on_this_machine(url: str) -> bool:
    """Whether `url` leads to the loopback interface."""
    return urlsplit(url).hostname in LOOPBACK


def checked_url(url: str, *, what: str, request: SignInRequest) -> str:
    """`url` itself, if this client may send anything there (CL-8, CL-9). Raises `Untrusted`.

    https anywhere. Plain http only on this machine, and only for a server that is on this machine
    too: a server elsewhere must not make the client talk to what listens here.
    """
    next_step = "Write it like https://notes.example/mcp."
    if what != SERVER_ADDRESS:
        next_step = f"Ask whoever runs {request.server_url} to correct its metadata."
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    odd = not url.isascii() or not url.isprintable() or any(c in url for c in ' \\<>"')
    if odd or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise Untrusted(
            f"The {what} is not a web address this client may use.", next_step=next_step
        )
    if is_on_this_machine(url) and not is_on_this_machine(request.server_url):
        raise Untrusted(
            f"The {what} points at this machine, the server does not.", next_step=next_step
        )
    if parts.scheme == "http" and not (is_on_this_machine(url) or request.allow_http):
        raise Untrusted(
            f"The {what} is plain http: {url}",
            next_step="Use https, or pass --allow-http if the network in between is yours.",
        )
    return url

"""Redirect URIs: which may be registered, which request matches which (OAuth 2.1 2.3.1, 8.4).

Everything here works on the raw text. A URI is compared as it was registered, with one exception:
the port of an http URI on the loopback interface, because an app on a person's machine takes the
port it gets. `localhost` has the same freedom: outside RFC 8252, but what real command lines use.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from mcplatch.protocol.raw_uri import is_plain, read_uri
from mcplatch.protocol.refusal import Reason, Refusal

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]", "localhost"})

# Apps whose redirect URI has a scheme of its own; each as a whole URI, never a scheme or prefix.
KNOWN_PRIVATE_URIS = frozenset({"cursor://anysphere.cursor-mcp/oauth/callback"})

REDIRECT_URI_MALFORMED = Reason(
    "redirect-uri-malformed",
    "invalid_redirect_uri",
    "A redirect URI must be an absolute URI without fragment, userinfo, wildcard or dot segments.",
    "OAuth 2.1 2.3.1",
)
REDIRECT_URI_NOT_LOOPBACK = Reason(
    "redirect-uri-not-loopback",
    "invalid_redirect_uri",
    "A redirect URI must use https, or http on 127.0.0.1, [::1] or localhost.",
    "OAuth 2.1 2.3.1",
)
REDIRECT_URI_ANSWERED = Reason(
    "redirect-uri-answered",
    "invalid_redirect_uri",
    "The query of a redirect URI must not have the parameters of an authorization response.",
    "OAuth 2.1 4.1.2",
)
REDIRECT_URI_SCHEME = Reason(
    "redirect-uri-scheme",
    "invalid_redirect_uri",
    "The scheme of this redirect URI is not accepted here.",
    "RFC 8252 7.1",
)

# No configuration may allow these: a browser runs them, shows them or starts a program with them.
_NEVER = frozenset(
    {"about", "blob", "chrome", "data", "file", "filesystem", "ftp", "http", "https", "intent"}
    | {"javascript", "mailto", "res", "resource", "shell", "smb", "ssh", "tel", "vbscript"}
    | {"view-source", "ws", "wss"}
)
# A query that already has one would bring the client's page two answers, ours and a stranger's.
_ANSWER = re.compile(
    r"(?:^|[&;])(?:code|state|iss|error|error_description|error_uri|response)(?:[=&;]|$)"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_LOOPBACK = re.compile(
    r"(?P<origin>http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<rest>(?:[/?].*)?)"
)


def check_redirect_uri(text: str, *, private_schemes: frozenset[str]) -> Refusal | None:
    """Why `text` may not be registered as a redirect URI, or None when it may (AS-49, AS-50).

    `private_schemes` holds whole URIs with a private-use scheme that are allowed, compared exactly.
    """
    if not is_plain(text):
        return Refusal(REDIRECT_URI_MALFORMED)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Refusal(REDIRECT_URI_MALFORMED, "no scheme")
    if scheme[1] not in {"http", "https"}:
        allowed = text in private_schemes and scheme[1].lower() not in _NEVER
        return None if allowed else Refusal(REDIRECT_URI_SCHEME, scheme[1])
    uri = read_uri(text)
    if uri is None:
        return Refusal(REDIRECT_URI_MALFORMED)
    if uri.scheme == "http" and uri.host not in LOOPBACK_HOSTS:
        return Refusal(REDIRECT_URI_NOT_LOOPBACK, uri.host)
    if _ANSWER.search(unquote(uri.query or "").lower()):
        return Refusal(REDIRECT_URI_ANSWERED)
    return None


def matches(registered: str, presented: str) -> bool:
    """Whether a request may use `presented` where `registered` was registered (AS-45 to AS-48)."""
    if registered == presented:
        return True
    left, right = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(presented)
    if left is None or right is None or int(right["port"] or 80) > 65535:
        return False
    return left["origin"] == right["origin"] and left["rest"] == right["rest"]


def is_loopback(uri: str) -> bool:
    """Whether `uri` (one that may be registered) leads to a program on the person's own machine."""
    parts = read_uri(uri)
    return parts is not None and parts.host in LOOPBACK_HOSTS


def host_of(uri: str) -> str:
    """Where `uri` leads, for people to read: its host, or the app's scheme and host, `cursor://app`."""
    parts = read_uri(uri)
    return parts.host if parts is not None else "/".join(uri.split("/", 3)[:3])

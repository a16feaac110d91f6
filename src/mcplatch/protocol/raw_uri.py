"""Takes http(s) URIs apart without ever rewriting them (RFC 3986 section 3).

A URL library that "helps" makes `http://2130706433`, full-width digits and upper-case hosts equal
to something else. Here a text has the one spelling these rules allow, or it has no reading at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

MOST_CHARACTERS = 2000

# RFC 3986 section 2 without `#` (no fragments), `*` (no wildcards) and without the characters that
# no URI has: controls, blanks, quotes, backslash, anything outside ASCII.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=]|%[0-9A-Fa-f]{2})+")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
_PARTS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^/?:@\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[^?]*)?(?:\?(?P<query>.*))?"
)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_SEGMENT_END = re.compile(r"/|%2[Ff]|%5[Cc]")
_DEFAULT_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RawUri:
    """The parts of an http(s) URI, each exactly as written; `path` may be empty, `query` absent."""

    scheme: str
    host: str
    port: int
    path: str
    query: str | None

    @property
    def target(self) -> str:
        """What a request line asks the host for."""
        return (self.path or "/") + ("" if self.query is None else "?" + self.query)


def read_uri(text: str) -> RawUri | None:
    """The parts of an absolute http(s) URI, or None when `text` has not the one accepted spelling.

    Refused: more than 2,000 characters, anything but RFC 3986 characters, `*`, fragment, userinfo,
    missing host, upper-case scheme or host, an address in any but its ordinary spelling, an empty,
    zero-led or too large port, dot segments (plain or encoded), encoded controls.
    """
    return _read(text) if len(text) <= MOST_CHARACTERS else None


# The same few addresses are read again at every request, a dozen times for one consent page.
@lru_cache(maxsize=512)
def _read(text: str) -> RawUri | None:
    if not is_plain(text):
        return None
    match = _PARTS.fullmatch(text)
    if match is None or not _is_host(match["host"]):
        return None
    port = int(match["port"] or _DEFAULT_PORT[match["scheme"]])
    path = match["path"] or ""
    if port > 65535 or _has_dot_segment(path):
        return None
    return RawUri(match["scheme"], match["host"], port, path, match["query"])


def is_plain(text: str) -> bool:
    """Whether `text` is short and made of URI characters only, none of them hiding a control."""
    return (
        len(text) <= MOST_CHARACTERS
        and _CHARACTERS.fullmatch(text) is not None
        and _ENCODED_CONTROL.search(text) is None
    )


def address_in(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that `host` (brackets around version 6) spells out, if it is one."""
    try:
        return IPv6Address(host[1:-1]) if host.startswith("[") else IPv4Address(host)
    except AddressValueError:
        return None


def _is_host(host: str) -> bool:
    if host.startswith("["):
        address = address_in(host)
        return address is not None and host == f"[{address}]"
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # Browsers and resolvers take a host whose last label is a number for an address: 127.1.
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        return address_in(host) is not None
    return True


def _has_dot_segment(path: str) -> bool:
    segments = _SEGMENT_END.split(path)
    return any(segment.lower().replace("%2e", ".") in {".", ".."} for segment in segments)

"""Resource indicators: which strings may name a resource, and which name the same one (RFC
8707).
"""

from __future__ import annotations

import re

from mcplatch.protocol.refusal import Reason, Refusal

MOST_CHARACTERS = 2048

RESOURCE_MALFORMED = Reason(
    "resource-malformed",
    "invalid_target",
    "The resource is not an absolute URI without a fragment.",
    "RFC 8707 2",
)

_RESOURCE = re.compile(r"(https?)://([^/?#\s\\@]+)((?:[/?][^#\s\\]*)?)", re.IGNORECASE)
_DEFAULT_PORT = {"http": ":80", "https": ":443"}


def parse_resource(text: str) -> str | Refusal:
    """`text` itself, unchanged, if it can name a resource: absolute, http(s), without fragment."""
    if len(text) > MOST_CHARACTERS or not text.isascii() or not text.isprintable():
        return Refusal(RESOURCE_MALFORMED)
    return text if _RESOURCE.fullmatch(text) else Refusal(RESOURCE_MALFORMED)


def same_resource(left: str, right: str) -> bool:
    """Whether both name one resource (AS-120).

    Scheme and host ignore case, the default port may be spelled out, and an origin may carry one
    slash; path and query are exact. The spelling that goes into tokens is always the configured
    one.
    """
    return left == right or _comparable(left) == _comparable(right)


def _comparable(text: str) -> tuple[str, str, str] | str:
    match = _RESOURCE.fullmatch(text)
    if match is None:
        return text
    scheme, authority, rest = match[1].lower(), match[2].lower(), match[3]
    return scheme, authority.removesuffix(_DEFAULT_PORT[scheme]), "" if rest == "/" else rest

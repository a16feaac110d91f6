"""Protected resource metadata: where it lives, built and parsed (RFC 9728)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.resource_indicator import parse_resource, same_resource

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MOST_CHARACTERS = 2048
MOST_MEMBERS = 100

METADATA_MALFORMED = Reason(
    "resource-metadata-malformed",
    "invalid_resource_metadata",
    "The protected resource metadata is malformed.",
    "RFC 9728 3.2",
)
METADATA_OF_ANOTHER_RESOURCE = Reason(
    "resource-metadata-of-another-resource",
    "invalid_resource_metadata",
    "The protected resource metadata names another resource.",
    "RFC 9728 3.3",
)

_TEXTS = (
    "jwks_uri",
    "resource_name",
    "resource_documentation",
    "resource_policy_uri",
    "resource_tos_uri",
    "signed_metadata",
)
_LISTS = (
    "authorization_servers",
    "scopes_supported",
    "bearer_methods_supported",
    "resource_signing_alg_values_supported",
    "dpop_signing_alg_values_supported",
)


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """What a protected resource says about itself; names are RFC 9728's.

    `None` and `()` both mean the member is absent. URLs are kept exactly as they were written.
    """

    resource: str
    authorization_servers: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    bearer_methods_supported: tuple[str, ...] = ("header",)
    jwks_uri: str | None = None
    resource_name: str | None = None
    resource_documentation: str | None = None
    resource_policy_uri: str | None = None
    resource_tos_uri: str | None = None
    signed_metadata: str | None = None
    resource_signing_alg_values_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    dpop_bound_access_tokens_required: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def build(meta: ResourceMetadata) -> dict[str, Any]:
    """The JSON document of `meta`: members without a value are left out (RFC 9728 section 3.2)."""
    document: dict[str, Any] = {"resource": meta.resource}
    for name in _LISTS:
        if values := getattr(meta, name):
            document[name] = list(values)
    for name in _TEXTS:
        if (text := getattr(meta, name)) is not None:
            document[name] = text
    if meta.dpop_bound_access_tokens_required:
        document["dpop_bound_access_tokens_required"] = True
    return {**meta.extra, **document}


def parse(document: object, *, resource: str | None = None) -> ResourceMetadata | Refusal:
    """Reads a fetched document; `resource` is the URL the caller wants to use, None to not compare.

    The comparison ignores what URL types change (case of scheme and host, default port, one slash
    after an origin) and nothing else. Members of the wrong type are refused; null means absent.
    """
    if not isinstance(document, dict) or len(document) > MOST_MEMBERS:
        return Refusal(METADATA_MALFORMED, "not a JSON object")
    named = document.get("resource")
    if not isinstance(named, str) or isinstance(parse_resource(named), Refusal):
        return Refusal(METADATA_MALFORMED, "resource")
    if resource is not None and not same_resource(named, resource):
        return Refusal(METADATA_OF_ANOTHER_RESOURCE, named)
    values: dict[str, Any] = {"resource": named, "bearer_methods_supported": ()}
    for name in _LISTS:
        read = _list(document.get(name))
        if read is None:
            return Refusal(METADATA_MALFORMED, name)
        values[name] = read
    for name in _TEXTS:
        text = document.get(name)
        if text is not None and not _is_text(text, limit=16 * MOST_CHARACTERS):
            return Refusal(METADATA_MALFORMED, name)
        values[name] = text
    bound = document.get("dpop_bound_access_tokens_required")
    if bound not in (None, True, False):
        return Refusal(METADATA_MALFORMED, "dpop_bound_access_tokens_required")
    known = {*_LISTS, *_TEXTS, "resource", "dpop_bound_access_tokens_required"}
    extra = {name: value for name, value in document.items() if name not in known}
    return ResourceMetadata(**values, dpop_bound_access_tokens_required=bound is True, extra=extra)


def well_known_urls(resource: str) -> tuple[str, ...]:
    """Where the metadata of `resource` may be, in the order asked: path-inserted, then root.

    A resource without a path has only the root address. The query stays behind the path
    (RFC 9728 section 3.1); strings only, nothing is re-serialised.
    """
    origin, path, query = split(resource)
    root = origin + WELL_KNOWN
    if path in ("", "/") and not query:
        return (root,)
    return (root + path.removesuffix("/") + query, root)


def split(resource: str) -> tuple[str, str, str]:
    """`resource` cut into origin, path and query (with its question mark), byte for byte."""
    scheme, mark, rest = resource.partition("://")
    head, question, query = rest.partition("?")
    authority, slash, path = head.partition("/")
    return scheme + mark + authority, slash + path, question + query


def _list(value: object) -> tuple[str, ...] | None:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MOST_MEMBERS:
        return None
    return tuple(value) if all(map(_is_text, value)) else None


def _is_text(value: object, limit: int = MOST_CHARACTERS) -> bool:
    return isinstance(value, str) and 0 < len(value) <= limit and value.isprintable()

"""Protected resource metadata, read back and compared (RFC 9728 sections 2 and 3)."""

from __future__ import annotations

from typing import Any

import pytest

from mcplatch.protocol.refusal import Refusal
from mcplatch.protocol.resource_metadata import (
    METADATA_MALFORMED,
    METADATA_OF_ANOTHER_RESOURCE,
    ResourceMetadata,
    build,
    parse,
)

RESOURCE = "https://notes.example/mcp"
WHOLE = ResourceMetadata(
    resource=RESOURCE,
    authorization_servers=("https://auth.example", "https://two.example/"),
    scopes_supported=("a", "b"),
    jwks_uri="https://notes.example/jwks",
    resource_name="Notes ✎",
    resource_documentation="https://notes.example/docs",
    resource_policy_uri="https://notes.example/policy",
    resource_tos_uri="https://notes.example/tos",
    signed_metadata="a.b.c",
    resource_signing_alg_values_supported=("ES256",),
    dpop_signing_alg_values_supported=("ES256",),
    dpop_bound_access_tokens_required=True,
    extra={"x_more": {"a": [1]}},
)


@pytest.mark.requirement("RS-21", "RS-24", "RS-30", "CL-9")
@pytest.mark.parametrize("meta", [WHOLE, ResourceMetadata(RESOURCE)])
def test_what_is_built_can_be_read(meta: ResourceMetadata) -> None:
    assert parse(build(meta), resource=RESOURCE) == meta


@pytest.mark.requirement("RS-30", "RS-26")
def test_members_without_a_value_are_left_out() -> None:
    assert build(ResourceMetadata(RESOURCE)) == {
        "resource": RESOURCE,
        "bearer_methods_supported": ["header"],
    }
    assert build(ResourceMetadata(RESOURCE, extra={"resource": "x"}))["resource"] == RESOURCE


@pytest.mark.requirement("RS-21")
@pytest.mark.parametrize(
    ("named", "wanted", "same"),
    [
        (RESOURCE, RESOURCE, True),
        ("https://NOTES.example/mcp", RESOURCE, True),
        ("https://notes.example:443/mcp", RESOURCE, True),
        ("https://notes.example/", "https://notes.example", True),
        ("https://notes.example/mcp/", RESOURCE, False),
        ("https://notes.example", RESOURCE, False),
        ("https://notes.example/mcp/x", RESOURCE, False),
        ("https://notes.example/MCP", RESOURCE, False),
        ("http://notes.example/mcp", RESOURCE, False),
        ("https://notes.example.evil/mcp", RESOURCE, False),
    ],
)
def test_only_the_same_resource_is_accepted(named: str, wanted: str, same: bool) -> None:
    found = parse({"resource": named}, resource=wanted)
    assert isinstance(found, ResourceMetadata) == same
    if isinstance(found, Refusal):
        assert found.reason is METADATA_OF_ANOTHER_RESOURCE
    assert isinstance(parse({"resource": named}), ResourceMetadata)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "x",
        {},
        {"resource": None},
        {"resource": 1},
        {"resource": "notes.example"},
        {"resource": "https://notes.example/#x"},
        {"resource": RESOURCE, "authorization_servers": "https://a.example"},
        {"resource": RESOURCE, "authorization_servers": [1]},
        {"resource": RESOURCE, "authorization_servers": [""]},
        {"resource": RESOURCE, "authorization_servers": ["x"] * 101},
        {"resource": RESOURCE, "scopes_supported": {"a": 1}},
        {"resource": RESOURCE, "scopes_supported": ["a\nb"]},
        {"resource": RESOURCE, "resource_name": ["x"]},
        {"resource": RESOURCE, "resource_name": "x" * 40_000},
        {"resource": RESOURCE, "dpop_bound_access_tokens_required": "yes"},
        {"resource": RESOURCE, **{f"x{n}": 1 for n in range(100)}},
    ],
)
def test_what_cannot_be_read_is_refused(document: Any) -> None:
    found = parse(document)
    assert isinstance(found, Refusal)
    assert found.reason is METADATA_MALFORMED


def test_null_means_absent() -> None:
    assert parse({"resource": RESOURCE, "scopes_supported": None, "resource_name": None}) == (
        ResourceMetadata(RESOURCE, bearer_methods_supported=())
    )

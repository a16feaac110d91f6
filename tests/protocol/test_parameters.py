"""The strict parser of queries and forms: one reading, or none."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.protocol import parameters
from mcplatch.protocol.parameters import Parameters, parse_form
from mcplatch.protocol.refusal import Refusal


def read(body: bytes) -> dict[str, tuple[str, ...]]:
    found = parse_form(body)
    assert isinstance(found, Parameters)
    return dict(found.values)


@pytest.mark.requirement("AS-21", "AS-31")
@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b"", {}),
        (b"a=1", {"a": ("1",)}),
        (b"a=&b=2", {"b": ("2",)}),
        (b"a", {}),
        (b"a=1&&b=2&", {"a": ("1",), "b": ("2",)}),
        (b"a=b=c", {"a": ("b=c",)}),
        (b"a=%2F%2B%3D+x", {"a": ("/+= x",)}),
        (b"resource=a&resource=b", {"resource": ("a", "b")}),
        ("a=ü".encode(), {"a": ("ü",)}),
        (b"a[]=1&a[]2=1", {"a[]": ("1",), "a[]2": ("1",)}),
        (b"a;b=1", {"a;b": ("1",)}),
    ],
)
def test_what_is_read(body: bytes, values: dict[str, tuple[str, ...]]) -> None:
    assert read(body) == values


@pytest.mark.requirement("AS-21", "AS-105")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a=1&a=1", parameters.PARAMETER_REPEATED),
        (b"a=1&%61=2", parameters.PARAMETER_REPEATED),
        (b"a=&a=1", parameters.PARAMETER_REPEATED),
        (b"a=%", parameters.REQUEST_MALFORMED),
        (b"a=%4", parameters.REQUEST_MALFORMED),
        (b"a=%G0", parameters.REQUEST_MALFORMED),
        (b"a=%00", parameters.REQUEST_MALFORMED),
        (b"a\x00=1", parameters.REQUEST_MALFORMED),
        (b"a=\xff", parameters.REQUEST_MALFORMED),
        (b"a=%C0%AF", parameters.REQUEST_MALFORMED),
        (b"a=%ED%A0%80", parameters.REQUEST_MALFORMED),
        (b"a=" + b"x" * parameters.MOST_BYTES, parameters.REQUEST_TOO_LARGE),
        (b"&" * parameters.MOST_FIELDS, parameters.REQUEST_TOO_LARGE),
    ],
)
def test_what_is_refused(body: bytes, reason: object) -> None:
    refusal = parse_form(body)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason


def test_repeated_names_are_named_for_people_only() -> None:
    refusal = parse_form(b"state=1&state=2")
    assert isinstance(refusal, Refusal)
    assert refusal.detail == "state"
    assert "state" not in refusal.reason.sentence


def test_get_all_names() -> None:
    found = parse_form(b"resource=a&resource=b&x=1&y=")
    assert isinstance(found, Parameters)
    assert (found.get("resource"), found.get("y"), found.get("z")) == ("a", None, None)
    assert found.all("resource") == ("a", "b")
    assert found.names() == {"resource", "x"}


_TEXT = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), min_size=1)


@given(st.dictionaries(_TEXT, _TEXT, max_size=8))
def test_what_the_standard_library_writes_is_read_back(values: dict[str, str]) -> None:
    for write in (urlencode(values), urlencode(values, quote_via=quote)):
        assert {name: value[0] for name, value in read(write.encode()).items()} == values


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    found = parse_form(body)
    assert isinstance(found, Refusal) or all(
        "\x00" not in v for vs in found.values.values() for v in vs
    )

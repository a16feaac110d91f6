"""Secrets at rest: they open for the right key in the right row, or not at all."""

from __future__ import annotations

import pytest

from mcplatch.seal import SealBroken, derive_key, seal, unseal

KEY = derive_key(b"k" * 32, "test")


def test_round_trip_and_fresh_nonce() -> None:
    sealed = seal(KEY, b"secret", bound_to="row:1")
    assert unseal(KEY, sealed, bound_to="row:1") == b"secret"
    assert b"secret" not in sealed
    assert seal(KEY, b"secret", bound_to="row:1") != sealed


@pytest.mark.requirement("GW-16")
@pytest.mark.parametrize(
    ("key", "bound_to"),
    [
        (derive_key(b"k" * 32, "other"), "row:1"),
        (derive_key(b"x" * 32, "test"), "row:1"),
        (KEY, "row:2"),
    ],
)
def test_another_key_or_row_opens_nothing(key: bytes, bound_to: str) -> None:
    with pytest.raises(SealBroken):
        unseal(key, seal(KEY, b"secret", bound_to="row:1"), bound_to=bound_to)


@pytest.mark.parametrize("place", [0, 11, 12, -1])
def test_an_altered_byte_opens_nothing(place: int) -> None:
    sealed = bytearray(seal(KEY, b"secret", bound_to="row:1"))
    sealed[place] ^= 1
    with pytest.raises(SealBroken):
        unseal(KEY, bytes(sealed), bound_to="row:1")


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 12, b"x" * 27])
def test_what_was_never_sealed(sealed: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(KEY, sealed, bound_to="row:1")

"""Secrets at rest: AES-256-GCM under keys derived per purpose, bound to the row they belong to (RFC
5869).
"""

from __future__ import annotations

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class SealBroken(Exception):
    """What was sealed cannot be opened: wrong key, wrong row, or altered. Check the secret key."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """A 256-bit key for one `purpose`, from a secret that is random already (HKDF-Expand, RFC 5869
    section 2.3; there is nothing to extract from a password here).
    """
    return hmac.digest(secret, purpose.encode() + b"\x01", "sha256")


def seal(key: bytes, plain: bytes, *, bound_to: str) -> bytes:
    """Encrypts `plain`; it opens only with the same `bound_to`, so that rows cannot be swapped."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())


def unseal(key: bytes, sealed: bytes, *, bound_to: str) -> bytes:
    """Opens what `seal` closed. Raises `SealBroken`."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
    except (InvalidTag, ValueError) as broken:
        raise SealBroken("a sealed value cannot be opened with this key") from broken

"""Proof Key for Code Exchange, S256 only (RFC 7636, OAuth 2.1 section 4.1.1)."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9\-_]{43}")


def is_verifier(text: str) -> bool:
    """Whether `text` has the syntax of a `code_verifier` (RFC 7636 section 4.1)."""
    return _VERIFIER.fullmatch(text) is not None


def is_challenge(text: str) -> bool:
    """Whether `text` can be an S256 `code_challenge`: 43 characters of base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def new_verifier(draw: Callable[[int], bytes]) -> str:
    """A fresh `code_verifier` of 256 bits; `draw(n)` gives n random bytes."""
    return urlsafe_b64encode(draw(32)).rstrip(b"=").decode()


def challenge_of(verifier: str) -> str:
    """The S256 `code_challenge` of `verifier` (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def proves(verifier: str, challenge: str) -> bool:
    """Whether `verifier` answers `challenge` (RFC 7636 section 4.6)."""
    return is_verifier(verifier) and hmac.compare_digest(challenge_of(verifier), challenge)

"""The door of signatures: signs and verifies compact JWS; the only importer of joserfc (RFC 7515,
8725).
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from mcplatch.protocol.refusal import Reason, Refusal

MOST_CHARACTERS = 16 * 1024
MOST_KEYS = 64
ES256_BYTES = 64
HEADER_NAMES = frozenset({"alg", "kid", "typ"})

# One algorithm per kind of key: the token never chooses (RFC 8725 section 3.1).
_ALGORITHMS = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
    ("RSA", ""): ("RS256",),
}
_KEY_TYPES: dict[str, type[ECKey] | type[OKPKey] | type[RSAKey]] = {
    "EC": ECKey,
    "OKP": OKPKey,
    "RSA": RSAKey,
}

TOKEN_UNREADABLE = Reason(
    "token-unreadable", "invalid_token", "The token is not valid.", "RFC 7515 5.2", 401
)
TOKEN_HEADER_WRONG = Reason(
    "token-header-wrong", "invalid_token", "The token is not valid.", "RFC 8725 3", 401
)
TOKEN_TYPE_WRONG = Reason(
    "token-type-wrong", "invalid_token", "The token is not valid.", "RFC 9068 4", 401
)
KEY_UNKNOWN = Reason("key-unknown", "invalid_token", "The token is not valid.", "RFC 7517 4.5", 401)
SIGNATURE_WRONG = Reason(
    "signature-wrong", "invalid_token", "The token is not valid.", "RFC 7515 5.2", 401
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its `kid`, held ready to sign with ES256 (RFC 7518 section 3.4).

    The signature is made on the key itself: a library's envelope around it costs as much again.
    """

    kid: str
    key: ec.EllipticCurvePrivateKey

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """The compact JWS over `claims`."""
        signed = _protected(self.kid, typ) + b"." + _base64url(_JSON.encode(claims).encode())
        r, s = decode_dss_signature(self.key.sign(signed, _ES256))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return (signed + b"." + _base64url(signature)).decode()


_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_ES256 = ec.ECDSA(hashes.SHA256())


@lru_cache(maxsize=64)
def _protected(kid: str, typ: str) -> bytes:
    return _base64url(_JSON.encode({"alg": "ES256", "kid": kid, "typ": typ}).encode())


def _base64url(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def new_private_key() -> bytes:
    """A fresh ES256 private key, PKCS #8 PEM."""
    return ECKey.generate_key("P-256").as_pem(private=True)


def signer(kid: str, pem: bytes) -> Signer:
    """Makes the stored private key ready to sign."""
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("a signing key must be an elliptic curve key")
    return Signer(kid, key)


def thumbprint(pem: bytes) -> str:
    """The RFC 7638 thumbprint of a key, used as its `kid`."""
    return ECKey.import_key(pem).thumbprint()


def public_jwk(pem: bytes, kid: str) -> dict[str, Any]:
    """The public half as a JWK for the JWKS document (RFC 7517)."""
    return {
        **ECKey.import_key(pem).as_dict(private=False),
        "kid": kid,
        "use": "sig",
        "alg": "ES256",
    }


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One verification key and the algorithms it may be used with."""

    key: Key
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublicKeySet:
    """The usable public keys of a JWKS document, by `kid`."""

    keys: Mapping[str, PublicKey]

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> PublicKeySet:
        """Reads a JWKS document (RFC 7517 section 5); keys that cannot be used are left out.

        Symmetric keys, keys without `kid` and keys meant for encryption are never taken.
        """
        members = document.get("keys")
        found: dict[str, PublicKey] = {}
        for member in members[:MOST_KEYS] if isinstance(members, list) else ():
            if isinstance(member, dict) and (key := _public_key(member)) is not None:
                found[str(member["kid"])] = key
        return cls(found)


def _public_key(member: dict[str, Any]) -> PublicKey | None:
    kind, curve = member.get("kty"), member.get("crv", "")
    algorithms = _ALGORITHMS.get((str(kind), str(curve)))
    if algorithms is None or not isinstance(member.get("kid"), str):
        return None
    if member.get("use", "sig") != "sig" or member.get("alg", algorithms[0]) not in algorithms:
        return None
    public: dict[str, Any] = {
        name: member[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in member
    }
    try:
        return PublicKey(_KEY_TYPES[str(kind)].import_key(public), algorithms)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def key_id(token: str) -> str | None:
    """The `kid` a token names, before anything about it is believed; None when there is none."""
    header = _header(token)
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) else None


def verify(token: str, keys: PublicKeySet, *, typ: str = "at+jwt") -> dict[str, Any] | Refusal:
    """The claims of `token` once its type, algorithm and signature are proven (RFC 8725, RFC 9068).

    Claims are not judged here. A header may hold `alg`, `kid` and `typ`, nothing else: keys and key
    addresses that travel with the token are how forgeries are made.
    """
    header = _header(token)
    if isinstance(header, Refusal):
        return header
    if not HEADER_NAMES.issuperset(header):
        return Refusal(TOKEN_HEADER_WRONG, "unexpected header member")
    if str(header.get("typ", "")).lower().removeprefix("application/") != typ:
        return Refusal(TOKEN_TYPE_WRONG)
    kid = header.get("kid")
    key = keys.keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        return Refusal(KEY_UNKNOWN)
    if header.get("alg") not in key.algorithms:
        return Refusal(TOKEN_HEADER_WRONG, "algorithm does not fit the key")
    payload = _proven_payload(token, key, str(header["alg"]))
    if payload is None:
        return Refusal(SIGNATURE_WRONG)
    claims = _json_object(payload)
    return Refusal(TOKEN_UNREADABLE, "payload") if claims is None else claims


def _proven_payload(token: str, key: PublicKey, algorithm: str) -> bytes | None:
    """The payload under a good signature. ES256, which this project signs with, is verified on the
    key itself, in half the time; every other algorithm by the library.
    """
    native = key.key.public_key if algorithm == "ES256" else None
    try:
        if isinstance(native, ec.EllipticCurvePublicKey):
            return _proven_es256(token, native)
        return jws.deserialize_compact(token, key.key, algorithms=[algorithm]).payload
    except (JoseError, InvalidSignature, ValueError, TypeError):
        return None


def _proven_es256(token: str, key: ec.EllipticCurvePublicKey) -> bytes:
    """Raises `InvalidSignature`, and `ValueError` for whatever is not the one spelling there is."""
    signed, _, last = token.rpartition(".")
    signature = _from_base64url(last)
    if len(signature) != ES256_BYTES:
        raise ValueError("an ES256 signature has 64 bytes")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), signed.encode(), _ES256)
    return _from_base64url(signed.partition(".")[2])


def _from_base64url(text: str) -> bytes:
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The decoder skips what is not of its alphabet and drops spare bits; only one text is right.
    if _base64url(raw).decode() != text:
        raise ValueError("not canonical base64url")
    return raw


def _header(token: str) -> dict[str, Any] | Refusal:
    if len(token) > MOST_CHARACTERS or not token.isascii() or token.count(".") != 2:
        return Refusal(TOKEN_UNREADABLE, "shape")
    try:
        header = _json_object(_from_base64url(token.partition(".")[0]))
    except ValueError:
        header = None
    return Refusal(TOKEN_UNREADABLE, "header") if header is None else header


def _json_object(raw: bytes) -> dict[str, Any] | None:
    """A JSON object in which no name is repeated; two readers must not see two tokens."""
    try:
        found = json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found

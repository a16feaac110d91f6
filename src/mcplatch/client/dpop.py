"""Proof of possession: a token that is of use only together with this client's key (RFC 9449,
CL-59).
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from mcplatch.client.senses import Senses

ALGORITHM = "ES256"
TYPE = "dpop+jwt"


@dataclass(frozen=True, slots=True)
class Prover:
    """A private key (PKCS #8 PEM, P-256) and the means to prove that it is held."""

    pem: str = field(repr=False)
    senses: Senses = field(repr=False)

    def proof(
        self, method: str, url: str, *, nonce: str | None = None, token: str | None = None
    ) -> str:
        """The DPoP header for one request; no two are the same (RFC 9449 section 4.2).

        nonce: what the server asked for last. token: the access token that goes with it.
        """
        claims: dict[str, str | int] = {
            "jti": self.senses.draw(16).hex(),
            "htm": method,
            "htu": url.partition("?")[0].partition("#")[0],
            "iat": self.senses.clock(),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if token is not None:
            claims["ath"] = _base64(hashlib.sha256(token.encode()).digest())
        return _signed(self.pem, claims)


def new_prover(senses: Senses) -> Prover:
    """One with a fresh key, for one sign-in."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Prover(pem.decode(), senses)


def _signed(pem: str, claims: dict[str, str | int]) -> str:
    key = serialization.load_pem_private_key(pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("a DPoP key is a P-256 key")
    point = key.public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": _base64(point.x.to_bytes(32, "big")),
        "y": _base64(point.y.to_bytes(32, "big")),
    }
    header = {"typ": TYPE, "alg": ALGORITHM, "jwk": jwk}
    signed = f"{_json(header)}.{_json(claims)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _json(members: Mapping[str, object]) -> str:
    return _base64(json.dumps(members, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()

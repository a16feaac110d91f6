"""Tokens that must never pass: algorithms confused, keys brought along, signatures bent (RFC 8725)."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey, RSAKey

from mcplatch import jose
from mcplatch.resource_server.latch import Latch
from mcplatch.resource_server.verdict import Invalid
from tests.resource_server.issuer import Issuer, encode
from tests.resource_server.servers import make_app, serving
from tests.resource_server.wire import call, challenge

pytestmark = pytest.mark.anyio


def segments(issuer: Issuer, header: dict[str, Any], claims: dict[str, Any] | None = None) -> str:
    """The signing input of a forged token."""
    payload = issuer.claims() if claims is None else claims
    return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(payload).encode())}"


def hs256(signing_input: str, secret: bytes) -> str:
    mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{encode(mac)}"


def public_forms(issuer: Issuer) -> list[bytes]:
    """Every spelling of the public key that a careless verifier might take for a shared secret."""
    public = load_pem_private_key(issuer.pem, None).public_key()
    return [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(issuer.published()[0]).encode(),
        issuer.published()[0]["x"].encode(),
        b"",
    ]


def forgeries(issuer: Issuer) -> dict[str, str]:
    """Tokens that must never pass, by what they try."""
    header = {"alg": "ES256", "kid": "k1", "typ": "at+jwt"}
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    foreign = ECKey.import_key(other)
    made = {
        "none": segments(issuer, {**header, "alg": "none"}) + ".",
        "None": segments(issuer, {**header, "alg": "None"}) + ".",
        "NONE without typ": segments(issuer, {"alg": "NONE"}) + ".",
        "no alg": segments(issuer, {"kid": "k1", "typ": "at+jwt"}) + ".AAAA",
        "alg is a list": segments(issuer, {**header, "alg": ["ES256"]}) + ".AAAA",
        "alg is null": segments(issuer, {**header, "alg": None}) + ".AAAA",
        "empty signature": segments(issuer, header) + ".",
        "zero signature": segments(issuer, header) + "." + encode(bytes(64)),
        "one signature": segments(issuer, header)
        + "."
        + encode(bytes(31) + b"\1" + bytes(31) + b"\1"),
        "signature in DER": _der_signature(issuer, header),
        "foreign key, known kid": jose.signer("k1", other).sign(issuer.claims(), typ="at+jwt"),
        "foreign key, own kid": jose.signer("k9", other).sign(issuer.claims(), typ="at+jwt"),
        "kid is a path": segments(issuer, {**header, "kid": "../../../../dev/null"}) + ".AAAA",
        "kid is SQL": segments(issuer, {**header, "kid": "x' UNION SELECT 'k1"}) + ".AAAA",
        "kid is a list": segments(issuer, {**header, "kid": ["k1"]}) + ".AAAA",
        "no kid": segments(issuer, {"alg": "ES256", "typ": "at+jwt"}) + ".AAAA",
    }
    for position, secret in enumerate(public_forms(issuer)):
        signing_input = segments(issuer, {**header, "alg": "HS256"})
        made[f"HS256 with the public key, form {position}"] = hs256(signing_input, secret)
    carried = foreign.as_dict(private=False)
    for name, value in {
        "jwk": carried,
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/cert",
        "x5c": ["MIIB"],
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
        "enc": "A256GCM",
        "cty": "JWT",
    }.items():
        made[f"{name} in the header, foreign key"] = (
            jwt.encode(
                issuer.claims(), other, "ES256", headers={"typ": "at+jwt", "kid": "k1", name: value}
            )
            if name not in ("b64", "crit")
            else segments(issuer, {**header, name: value}) + ".AAAA"
        )
        # The right key does not make it better.
        if name not in ("b64", "crit", "zip", "enc"):
            made[f"{name} in the header, right key"] = jwt.encode(
                issuer.claims(), issuer.pem, "ES256",
                headers={"typ": "at+jwt", "kid": "k1", name: value},
            )  # fmt: skip
    return made


def _der_signature(issuer: Issuer, header: dict[str, Any]) -> str:
    from cryptography.hazmat.primitives.hashes import SHA256

    key = load_pem_private_key(issuer.pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signing_input = segments(issuer, header)
    return f"{signing_input}.{encode(key.sign(signing_input.encode(), ec.ECDSA(SHA256())))}"


FORGERIES = forgeries(Issuer())


@pytest.mark.requirement("RS-43")
@pytest.mark.parametrize("attempt", FORGERIES)
async def test_no_forgery_passes(client: httpx2.AsyncClient, issuer: Issuer, attempt: str) -> None:
    response = await call(client, "list_notes", FORGERIES[attempt])
    assert response.status_code == 401
    assert challenge(response).get("error") == "invalid_token"
    assert "evil" not in " ".join(issuer.asked)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.requirement("RS-43")
async def test_an_algorithm_belongs_to_its_key(issuer: Issuer, latch: Latch) -> None:
    """A server may publish keys of several kinds; a token cannot use one with another's algorithm."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    rsa_jwk = RSAKey.import_key(pem).as_dict(private=False)
    okp = OKPKey.generate_key("Ed25519")
    issuer.keys = [
        *Issuer().published(),
        {**rsa_jwk, "kid": "rsa", "use": "sig"},
        {**okp.as_dict(private=False), "kid": "okp"},
        {"kty": "oct", "k": encode(b"x" * 32), "kid": "oct", "alg": "HS256"},
        {**rsa_jwk, "kid": "enc", "use": "enc"},
        {"kty": "EC", "kid": "broken"},
        "not a key",  # type: ignore[list-item]
    ]
    headers = {"typ": "at+jwt", "kid": "rsa"}
    good = jwt.encode(issuer.claims(), pem, "RS256", headers=headers)
    eddsa = jwt.encode(
        issuer.claims(), okp.as_pem(private=True), "EdDSA", headers={"typ": "at+jwt", "kid": "okp"}
    )
    bad = [
        jwt.encode(issuer.claims(), pem, "PS256", headers=headers),
        jwt.encode(issuer.claims(), pem, "RS256", headers={**headers, "kid": "k1"}),
        jwt.encode(issuer.claims(), pem, "RS256", headers={**headers, "kid": "enc"}),
        jwt.encode(issuer.claims(), b"x" * 32, "HS256", headers={**headers, "kid": "oct"}),
        jwt.encode(issuer.claims(), b"x" * 32, "HS256", headers=headers),
    ]
    async with serving(make_app("mcp", latch)) as client:
        for token in (good, eddsa):
            assert (await call(client, "list_notes", token)).status_code == 200
        for token in bad:
            assert (await call(client, "list_notes", token)).status_code == 401


@pytest.mark.requirement("RS-43", "RS-5")
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "jwk", "crit", "x"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3))
        | st.sampled_from(["ES256", "RS256", "HS256", "none", "k1", "at+jwt"]),
    ),
    payload=st.binary(max_size=40),
    signature=st.binary(max_size=80),
)  # fmt: skip
async def test_no_token_is_too_odd_to_judge(
    issuer: Issuer, latch: Latch, changes: dict[str, Any], payload: bytes, signature: bytes
) -> None:
    header = json.dumps({"alg": "ES256", "kid": "k1", "typ": "at+jwt", **changes}).encode()
    for token in (
        f"{encode(header)}.{encode(payload)}.{encode(signature)}",
        f"{encode(payload)}.{encode(header)}.{encode(signature)}",
    ):
        assert isinstance(await latch.verifier.verify(token), Invalid)

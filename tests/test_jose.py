"""The door of signatures against forgeries, with PyJWT as a second opinion."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from mcplatch import jose
from mcplatch.jose import PublicKeySet, verify
from mcplatch.protocol.refusal import Refusal

PEM = jose.new_private_key()
KID = jose.thumbprint(PEM)
SIGNER = jose.signer(KID, PEM)
PUBLIC = jose.public_jwk(PEM, KID)
KEYS = PublicKeySet.parse({"keys": [PUBLIC]})
CLAIMS = {"iss": "https://a", "sub": "ü", "exp": int(time.time()) + 60}


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def reason_of(token: str, keys: PublicKeySet = KEYS, typ: str = "at+jwt") -> str:
    refusal = verify(token, keys, typ=typ)
    assert isinstance(refusal, Refusal), refusal
    return refusal.reason.name


def test_what_is_signed_is_verified_here_and_elsewhere() -> None:
    token = SIGNER.sign(CLAIMS, typ="at+jwt")
    assert verify(token, KEYS) == CLAIMS
    assert jwt.decode(token, jwt.PyJWK(PUBLIC), algorithms=["ES256"]) == CLAIMS
    assert jose.key_id(token) == KID
    assert "d" not in PUBLIC


@pytest.mark.requirement("RS-43")
@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_may_be_spelled_in_three_ways(typ: str) -> None:
    assert verify(SIGNER.sign(CLAIMS, typ=typ), KEYS) == CLAIMS


@pytest.mark.requirement("RS-43", "RS-45")
@pytest.mark.parametrize(
    "typ", ["JWT", "", "logout+jwt", "dpop+jwt", "oauth-id-jag+jwt", "xat+jwt"]
)
def test_other_credentials_are_not_access_tokens(typ: str) -> None:
    assert reason_of(SIGNER.sign(CLAIMS, typ=typ)) == "token-type-wrong"


def _pyjwt(header: dict[str, Any], key: Any = PEM, algorithm: str = "ES256") -> str:
    return jwt.encode(CLAIMS, key, algorithm=algorithm, headers={"typ": "at+jwt", **header})


OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.requirement("RS-43")
@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (_pyjwt({"kid": "other"}), "key-unknown"),
        (_pyjwt({}), "key-unknown"),
        (_pyjwt({"kid": KID, "jwk": PUBLIC}), "token-header-wrong"),
        (_pyjwt({"kid": KID, "jku": "https://evil/"}), "token-header-wrong"),
        (_pyjwt({"kid": KID, "x5u": "https://evil/"}), "token-header-wrong"),
        (_pyjwt({"kid": KID, "x5c": ["x"]}), "token-header-wrong"),
        (_pyjwt({"kid": KID, "crit": ["exp"], "exp": 1}), "token-header-wrong"),
        (_pyjwt({"kid": KID}, OTHER), "signature-wrong"),
        (_pyjwt({"kid": KID}, "s" * 64, "HS256"), "token-header-wrong"),
        (_pyjwt({"kid": KID}, None, "none"), "token-header-wrong"),
        (
            _pyjwt({"kid": KID}, ec.generate_private_key(ec.SECP384R1()), "ES384"),
            "token-header-wrong",
        ),
        (
            _pyjwt({"kid": KID}, rsa.generate_private_key(65537, 2048), "RS256"),
            "token-header-wrong",
        ),
    ],
)
def test_forged_headers(token: str, reason: str) -> None:
    assert reason_of(token) == reason


@pytest.mark.requirement("RS-43")
def test_the_public_key_is_no_shared_secret() -> None:
    public_pem = ECKey.import_key(PUBLIC).as_pem(private=False)
    signed = f"{part({'alg': 'HS256', 'kid': KID, 'typ': 'at+jwt'})}.{part(CLAIMS)}"
    forged = hmac.digest(public_pem, signed.encode(), "sha256")
    assert reason_of(f"{signed}.{part(forged)}") == "token-header-wrong"


GOOD = SIGNER.sign(CLAIMS, typ="at+jwt")
HEAD, BODY, SIGNATURE = GOOD.split(".")


@pytest.mark.requirement("RS-43", "RS-54")
@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        f"{HEAD}.{BODY}.",
        f"{HEAD}.{BODY}",
        f"{HEAD}.{BODY}.{SIGNATURE}=",
        f"{HEAD}.{part({**CLAIMS, 'sub': 'x'})}.{SIGNATURE}",
        f"{HEAD} .{BODY}.{SIGNATURE}",
        f"{part(b'[]')}.{BODY}.{SIGNATURE}",
        f"{part(b'{')}.{BODY}.{SIGNATURE}",
        f"{part(b'[' * 5000)}.{BODY}.{SIGNATURE}",
        "ü.ü.ü",
        "x" * 20_000 + ".a.b",
        f"{part({'alg': ['ES256'], 'kid': KID, 'typ': 'at+jwt'})}.{BODY}.{SIGNATURE}",
        f"{part({'alg': 'ES256', 'kid': {}, 'typ': 'at+jwt'})}.{BODY}.{SIGNATURE}",
        f"{part({'alg': 'ES256', 'kid': KID, 'typ': 3})}.{BODY}.{SIGNATURE}",
    ],
)
def test_what_is_no_token(token: str) -> None:
    assert isinstance(verify(token, KEYS), Refusal)


@pytest.mark.requirement("RS-43")
@pytest.mark.parametrize(
    "payload", [b'{"sub":"a","sub":"b"}', b"[]", b"1", b"\xff", b'{"a":{"b":1,"b":2}}']
)
def test_a_signed_payload_must_be_one_plain_object(payload: bytes) -> None:
    head = part({"alg": "ES256", "kid": KID, "typ": "at+jwt"})
    signed = f"{head}.{part(payload)}".encode()
    key = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    signature = key.sign(signed, key.prepare_key(PEM))  # type: ignore[arg-type]  # it is private
    assert reason_of(f"{signed.decode()}.{part(signature)}") == "token-unreadable"


def test_a_header_name_twice_is_refused() -> None:
    head = part(b'{"alg":"none","alg":"ES256","kid":"%s","typ":"at+jwt"}' % KID.encode())
    assert reason_of(f"{head}.{BODY}.{SIGNATURE}") == "token-unreadable"


@given(st.integers(0, len(GOOD) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_character_can_be_changed(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    found = verify(changed, KEYS)
    # The last character of a base64url part may have unused bits; the claims must then be the same.
    assert isinstance(found, Refusal) or found == CLAIMS


@given(st.text(max_size=200))
def test_any_text_is_refused_without_breaking(text: str) -> None:
    assert isinstance(verify(text, KEYS), Refusal)
    assert jose.key_id(text) is None


RSA = RSAKey.generate_key(2048)
UNUSABLE = [
    {"kty": "oct", "k": "c2VjcmV0", "kid": "1"},
    {**PUBLIC, "kid": None},
    {**PUBLIC, "kid": 5},
    {**PUBLIC, "use": "enc"},
    {**PUBLIC, "alg": "HS256"},
    {**PUBLIC, "alg": "ES384"},
    {**PUBLIC, "x": "AAAA"},
    {**PUBLIC, "crv": "secp256k1"},
    {"kty": "EC", "crv": "P-256", "kid": "1"},
    {"kid": "1"},
    "text",
    None,
]


@pytest.mark.requirement("RS-43", "RS-46")
@pytest.mark.parametrize("member", UNUSABLE)
def test_unusable_keys_are_left_out(member: Any) -> None:
    assert PublicKeySet.parse({"keys": [member]}).keys == {}


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": "x"}])
def test_a_document_without_keys_has_none(document: dict[str, Any]) -> None:
    assert PublicKeySet.parse(document).keys == {}


@pytest.mark.requirement("AS-131")
def test_keys_of_other_issuers_work_too() -> None:
    member = {**RSA.as_dict(private=False), "kid": "r", "use": "sig", "alg": "RS256"}
    keys = PublicKeySet.parse({"keys": [member, PUBLIC]})
    token = _pyjwt({"kid": "r"}, RSA.as_pem(private=True), "RS256")
    assert verify(token, keys) == CLAIMS
    assert verify(GOOD, keys) == CLAIMS


def test_the_private_part_of_a_published_key_is_not_taken() -> None:
    member = {**ECKey.import_key(PEM).as_dict(private=True), "kid": KID}
    keys = PublicKeySet.parse({"keys": [member]})
    assert not keys.keys[KID].key.is_private


def test_only_an_elliptic_curve_key_signs() -> None:
    with pytest.raises(ValueError, match="elliptic"):
        jose.signer("r", RSA.as_pem(private=True))

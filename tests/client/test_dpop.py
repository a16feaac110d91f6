"""Tokens bound to a key: the proof, the nonces, and that nothing weaker is taken instead."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest

from mcplatch.client.auth import LatchAuth
from mcplatch.client.credential import Credential, from_json, to_json
from mcplatch.client.dpop import new_prover
from mcplatch.client.errors import Denied, ServerFault, Untrusted
from mcplatch.client.senses import Senses
from mcplatch.client.sign_in import Hint, sign_in
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Post, Reply
from mcplatch.client.tokens import refresh
from mcplatch.client.wallet import Wallet
from tests.client.table import (
    ISSUER,
    META,
    PRM,
    SERVER,
    Answer,
    Notebook,
    Play,
    as_json,
    in_turn,
    metadata,
    play,
    resource,
    still,
    tokens,
    usual,
)
from tests.client.test_tokens import HELD
from tests.client.town import Clicker, Town

TOKEN = f"{ISSUER}/token"
BOUND = Hint(PRM, dpop=True)


def opened(proof: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a proof, its signature verified with the key it carries."""
    header = jwt.get_unverified_header(proof)
    key = jwt.PyJWK(header["jwk"], algorithm="ES256")
    claims = jwt.decode(proof, key, algorithms=["ES256"], options={"verify_iat": False})
    return header, claims


def bound_tokens(**changes: object) -> Reply:
    return as_json(tokens(token_type="DPoP", **changes))


def signed_in(
    replies: dict[str, Answer], seen: Play | None = None, hint: Hint = BOUND
) -> Credential:
    talk = sign_in(SignInRequest(SERVER), hint, Notebook(), still())
    return play(talk, replies, seen or Play())


@pytest.mark.requirement("CL-59")
def test_a_proof_says_what_it_is_for_and_carries_only_the_public_key() -> None:
    prover = new_prover(still(1000))
    proof = prover.proof("POST", "https://x.example/a?b=c#d", nonce="n", token="at")
    header, claims = opened(proof)
    assert (header["typ"], header["alg"]) == ("dpop+jwt", "ES256")
    assert set(header["jwk"]) == {"kty", "crv", "x", "y"}
    assert claims == {
        "jti": claims["jti"],
        "htm": "POST",
        "htu": "https://x.example/a",
        "iat": 1000,
        "nonce": "n",
        "ath": urlsafe_b64encode(hashlib.sha256(b"at").digest()).rstrip(b"=").decode(),
    }
    assert opened(prover.proof("POST", "https://x.example/a"))[1]["jti"] != claims["jti"]
    assert "PRIVATE" not in repr(prover)


@pytest.mark.requirement("CL-59")
@pytest.mark.parametrize("by", ["challenge", "metadata"])
def test_a_token_is_bound_where_no_other_is_of_use(by: str) -> None:
    seen = Play()
    replies = usual() | {
        TOKEN: bound_tokens(),
        PRM: as_json(resource(dpop_bound_access_tokens_required=by == "metadata")),
    }
    held = signed_in(replies, seen, BOUND if by == "challenge" else Hint(PRM))
    claims = opened(str(seen.posts(TOKEN)[0].dpop))[1]
    assert (claims["htm"], claims["htu"]) == ("POST", TOKEN)
    assert "ath" not in claims
    assert held.dpop_key is not None
    assert from_json(to_json(held)) == held


def test_elsewhere_nothing_is_bound() -> None:
    seen = Play()
    assert signed_in(usual(), seen, Hint(PRM)).dpop_key is None
    assert not any(request.dpop for request in seen.asked if isinstance(request, Post))


@pytest.mark.requirement("CL-51", "CL-59")
def test_a_bearer_token_instead_of_a_bound_one_is_refused() -> None:
    with pytest.raises(Untrusted):
        signed_in(usual())


@pytest.mark.requirement("CL-59")
def test_a_server_that_cannot_bind_is_said_so_before_anybody_is_asked() -> None:
    seen = Play()
    replies = usual() | {META: as_json(metadata(dpop_signing_alg_values_supported=["RS256"]))}
    with pytest.raises(ServerFault):
        signed_in(replies, seen)
    assert not seen.visits


@pytest.mark.requirement("CL-59")
def test_the_nonce_of_the_token_endpoint_is_used_once() -> None:
    seen = Play()
    asks = as_json({"error": "use_dpop_nonce"}, 400)
    asks = replace(asks, headers=(*asks.headers, ("dpop-nonce", "n-1")))
    signed_in(usual() | {TOKEN: in_turn(asks, bound_tokens())}, seen)
    nonces = [opened(str(post.dpop))[1].get("nonce") for post in seen.posts(TOKEN)]
    assert nonces == [None, "n-1"]
    seen = Play()
    with pytest.raises(Denied):
        signed_in(usual() | {TOKEN: asks}, seen)
    assert len(seen.posts(TOKEN)) == 2


@pytest.mark.requirement("CL-59")
def test_a_refresh_proves_the_same_key() -> None:
    prover, seen = new_prover(Senses()), Play()
    held = replace(HELD, dpop_key=prover.pem)
    new = play(refresh(held, still()), {TOKEN: bound_tokens()}, seen)
    assert isinstance(new, Credential)
    assert new.dpop_key == prover.pem
    sent = opened(str(seen.posts(TOKEN)[0].dpop))[0]
    assert sent["jwk"] == opened(prover.proof("GET", SERVER))[0]["jwk"]


@dataclass
class BoundTown(Town):
    """A town whose MCP server takes DPoP only, with a nonce that changes when `nonce` does."""

    nonce: str = ""

    def _serve(self, request: httpx2.Request) -> httpx2.Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        challenge = f'DPoP resource_metadata="{PRM}"'
        if scheme != "DPoP" or token not in self.access:
            return httpx2.Response(401, headers={"www-authenticate": challenge})
        claims = opened(request.headers["dpop"])[1]
        assert (claims["htm"], claims["htu"]) == (request.method, SERVER)
        if claims.get("nonce", "") != self.nonce:
            challenge = f'{challenge}, error="use_dpop_nonce"'
            headers = {"www-authenticate": challenge, "dpop-nonce": self.nonce}
            return httpx2.Response(401, headers=headers)
        return httpx2.Response(200, text=claims["jti"])

    def issue(self, scope: str) -> httpx2.Response:
        answer = super().issue(scope).json()
        return httpx2.Response(200, json={**answer, "token_type": "DPoP"})


@pytest.mark.anyio
@pytest.mark.requirement("CL-59")
async def test_every_request_has_a_proof_of_its_own_and_the_nonce_of_the_server(
    tmp_path: Path,
) -> None:
    town = BoundTown()
    wallet = Wallet(tmp_path, find_keyring=lambda: None, say=lambda line: None)
    auth = LatchAuth(SignInRequest(SERVER), wallet, person=Clicker(town), open_http=town.open_http)
    async with httpx2.AsyncClient(transport=town, auth=auth) as http:
        first, second = await http.get(SERVER), await http.post(SERVER, json={})
        assert first.status_code == second.status_code == 200
        assert first.text != second.text
        for nonce in ("n-1", "n-2"):
            town.nonce = nonce
            before = len(town.asked(SERVER))
            assert (await http.get(SERVER)).status_code == 200
            assert (await http.get(SERVER)).status_code == 200
            assert len(town.asked(SERVER)) - before == 3
        await http.get("https://evil.example/")
    assert "dpop" not in town.seen[-1].headers
    assert len(town.visits) == 1
    for path in tmp_path.iterdir():
        assert b"PRIVATE" not in path.read_bytes()

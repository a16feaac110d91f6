"""What the operator can do, against both databases: each yes with what follows from it, each no by its name."""

from __future__ import annotations

import pytest

from mcplatch.authorization_server.clients.registered import configured_client
from mcplatch.authorization_server.operator import clients as operator_clients
from mcplatch.moment import digest
from mcplatch.passwords import Passwords
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import AuditEvent, Client, Grant, Session, User
from mcplatch.store.port import Put
from mcplatch.web.admin_socket import ACTS, Desk, perform
from tests import world

pytestmark = pytest.mark.anyio

GOOD = "correct horse battery"
ADDED = {"username": "ann", "password": GOOD}
APP = {"client_id": "app", "name": "App", "redirect_uris": ["http://127.0.0.1/cb"]}


@pytest.fixture
async def desk(store):
    return Desk(await world.house(store), Passwords())


async def done(desk, act, **given):
    answered = await perform(desk, act, given)
    assert not isinstance(answered, Refusal), answered
    return answered


async def put(desk, *records):
    await desk.house.store.settle(lambda t: t.apply([Put(record) for record in records]))


async def all_of(desk, record, **equal):
    return await desk.house.store.look(lambda t: t.all(record, **equal))


async def grant_for(desk, user_id, **changes):
    now = await desk.house.store.look(lambda t: t.now)
    grant = world.grant(user_id=user_id, created_at=now, expires_at=now + 100, **changes)
    await put(desk, grant)
    return grant


@pytest.mark.parametrize(
    ("act", "given", "reason"),
    [
        ("user/eat", {}, "operator-act-unknown"),
        ("user/add", None, "operator-act-malformed"),
        ("user/add", [], "operator-act-malformed"),
        ("user/add", {"username": "x"}, "operator-act-malformed"),
        ("user/add", {"username": 1, "password": GOOD}, "operator-act-malformed"),
        ("user/add", {"username": "bob", "password": "1234567"}, "operator-password-too-short"),
        ("user/add", {"username": " bob", "password": GOOD}, "operator-username-malformed"),
        ("user/add", {"username": "b" * 201, "password": GOOD}, "operator-username-malformed"),
        ("user/add", {"username": "b\n", "password": GOOD}, "operator-username-malformed"),
        ("user/add", {"username": "b\x00b", "password": GOOD}, "operator-username-malformed"),
        ("user/add", ADDED, "operator-username-taken"),
        ("user/set-password", {"username": "ann", "password": "short"}, "operator-password-too-short"),
        ("user/set-password", {"username": "eve", "password": GOOD}, "operator-user-missing"),
        ("user/lock", {"username": "eve"}, "operator-user-missing"),
        ("user/unlock", {"username": "eve"}, "operator-user-missing"),
        ("client/add", APP, "operator-client-id-taken"),
        ("client/add", APP | {"client_id": "https://x.example/c"}, "operator-client-id-malformed"),
        ("client/add", APP | {"client_id": "dyn-x"}, "operator-client-id-malformed"),
        ("client/add", APP | {"client_id": "a b"}, "operator-client-id-malformed"),
        ("client/add", APP | {"client_id": "ä"}, "operator-client-id-malformed"),
        ("client/add", APP | {"redirect_uris": []}, "operator-act-malformed"),
        ("client/add", APP | {"redirect_uris": "http://x"}, "operator-act-malformed"),
        ("client/remove", {"client_id": "none"}, "operator-client-missing"),
        ("grant/revoke", {"grant_id": "none"}, "operator-grant-missing"),
    ],
)  # fmt: skip
async def test_each_no_has_its_name(desk, act, given, reason):
    await done(desk, "user/add", **ADDED)
    await done(desk, "client/add", **APP)
    refused = await perform(desk, act, given)
    assert isinstance(refused, Refusal)
    assert refused.reason.name == reason


async def test_a_new_user_has_the_password_and_is_witnessed(desk):
    answered = await done(desk, "user/add", **ADDED)
    (user,) = await all_of(desk, User)
    assert (await desk.passwords.check(GOOD, user.password_hash)).right
    assert "hash" not in str(answered)
    assert [one.kind for one in await all_of(desk, AuditEvent, user_id=user.user_id)] == [
        "user-added"
    ]


async def session_of(desk, user_id):
    now = await desk.house.store.look(lambda t: t.now)
    session = Session(
        session_hash=digest("s"),
        user_id=user_id,
        created_at=now,
        authenticated_at=now,
        expires_at=now + 100,
    )
    await put(desk, session)


@pytest.mark.requirement("AS-138")
async def test_a_new_password_signs_out_everywhere_and_stops_what_was_allowed(desk):
    user_id = (await done(desk, "user/add", **ADDED))["user"]["user_id"]
    await session_of(desk, user_id)
    await grant_for(desk, user_id)
    await done(desk, "user/set-password", username="ann", password="another good one")
    (user,) = await all_of(desk, User)
    assert (await desk.passwords.check("another good one", user.password_hash)).right
    (session,) = await all_of(desk, Session)
    assert session.ended_at is not None
    (grant,) = await all_of(desk, Grant)
    assert grant.revoked_because == "password-set"


@pytest.mark.requirement("AS-138")
async def test_locking_stops_sign_ins_and_everything_allowed(desk):
    user_id = (await done(desk, "user/add", **ADDED))["user"]["user_id"]
    await session_of(desk, user_id)
    await grant_for(desk, user_id)
    locked = await done(desk, "user/lock", username="ann")
    assert locked["user"]["locked_at"] is not None
    (session,) = await all_of(desk, Session)
    (grant,) = await all_of(desk, Grant)
    assert session.ended_at is not None
    assert grant.revoked_because == "user-locked"
    assert await done(desk, "user/lock", username="ann") == locked
    opened = await done(desk, "user/unlock", username="ann")
    assert opened["user"]["locked_at"] is None
    (grant,) = await all_of(desk, Grant)
    assert grant.revoked_at is not None


async def test_a_confidential_client_gets_a_secret_that_is_kept_as_a_digest(desk):
    answered = await done(desk, "client/add", **APP, confidential=True)
    (client,) = await all_of(desk, Client)
    assert client.secret_hash == digest(answered["client_secret"])
    assert client.token_endpoint_auth_method == "client_secret_basic"
    public = await done(desk, "client/add", **(APP | {"client_id": "b"}))
    assert "client_secret" not in public


async def test_removing_a_client_ends_its_grants_and_it_cannot_come_back_by_itself(desk):
    await done(desk, "client/add", **APP)
    await put(desk, world.client(client_id="dyn-1"))
    mine = await grant_for(desk, "u", client_id="app")
    other = await grant_for(desk, "u", client_id="dyn-1", grant_id="grant-2")
    await done(desk, "client/remove", client_id="app")
    await done(desk, "client/remove", client_id="dyn-1")
    (left,) = await all_of(desk, Client)
    assert left.client_id == "dyn-1"
    assert left.blocked_at is not None
    ended = {grant.grant_id: grant.revoked_because for grant in await all_of(desk, Grant)}
    assert ended == {mine.grant_id: "client-removed", other.grant_id: "client-removed"}


async def test_grants_are_listed_by_person_and_client_and_revoked_once(desk):
    user_id = (await done(desk, "user/add", **ADDED))["user"]["user_id"]
    grant = await grant_for(desk, user_id)
    await grant_for(desk, "somebody", grant_id="grant-2", client_id="other")

    async def listed(**given):
        return [one["grant_id"] for one in (await done(desk, "grant/list", **given))["grants"]]

    assert set(await listed()) == {"grant-1", "grant-2"}
    assert await listed(username="ann") == ["grant-1"]
    assert await listed(username="nobody") == []
    assert await listed(client_id="other") == ["grant-2"]
    await done(desk, "grant/revoke", grant_id=grant.grant_id)
    assert await listed() == ["grant-2"]
    again = await perform(desk, "grant/revoke", {"grant_id": grant.grant_id})
    assert isinstance(again, Refusal)


async def test_keys_rotate_without_a_gap(desk):
    (first,) = (await done(desk, "key/list"))["keys"]
    fresh = (await done(desk, "key/rotate"))["key"]
    assert fresh["active_at"] > fresh["created_at"]
    kept = {one["kid"]: one for one in (await done(desk, "key/list"))["keys"]}
    assert kept[first["kid"]]["retired_at"] > fresh["active_at"]
    assert fresh["kid"] in str(desk.house.ring.document)
    assert "sealed" not in str(kept)


async def test_the_audit_is_told_oldest_first_and_from_where_one_left_off(desk):
    await done(desk, "user/add", **ADDED)
    await done(desk, "client/add", **APP)
    told = (await done(desk, "audit/tail", limit=2))["events"]
    assert [one["kind"] for one in told] == ["user-added", "client-added"]
    later = (await done(desk, "audit/tail", after=told[0]["event_id"]))["events"]
    assert [one["kind"] for one in later] == ["client-added"]


async def test_app_addresses_are_allowed_exactly_as_configured(desk):
    uri = "cursor://anysphere.cursor-mcp/oauth/callback"
    refused = await desk.house.store.settle(
        lambda t: operator_clients.add_client(
            t,
            configured_client("a", name="A", redirect_uris=["made-up://x"]),
            private_uris=frozenset({uri}),
        )
    )
    assert isinstance(refused, Refusal)


def test_every_act_is_spelled_like_its_command():
    assert all(len(act.split("/")) == 2 for act in ACTS)

"""The demonstration's authorization server: one person, and the resource servers that run now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from mcplatch.authorization_server.house import House, open_house
from mcplatch.authorization_server.policy import Policy, Resource, Scope
from mcplatch.demo import mcp_server
from mcplatch.demo.account import Account
from mcplatch.demo.guarded import NAME, rules, words
from mcplatch.demo.rendezvous import Announced
from mcplatch.fetch import Fetch, FetchRules
from mcplatch.moment import Moment, clock, digest
from mcplatch.passwords import Passwords
from mcplatch.records import User
from mcplatch.store import open_store
from mcplatch.store.port import Put

LOOK_EVERY = 1.0
OPERATOR = "mcplatch demonstration"


def policy(issuer: str, resources: Iterable[Announced], *, user_scope: str) -> Policy:
    """What this authorization server stands for: the given resource servers, all with our tools."""
    return Policy(
        issuer=issuer,
        resources=tuple(_resource(one, user_scope) for one in resources),
        operator=OPERATOR,
    )


@asynccontextmanager
async def demonstration_house(
    stands_for: Policy, account: Account, database: str
) -> AsyncIterator[House]:
    """The authorization server's inside, with its one person, in a new database at `database`.

    Its secret key is made up too, so nothing in the database is of use afterwards. Raises
    `StoreDown` when the database cannot be used.
    """
    moment = Moment(clock())
    store = open_store(database)
    fetch = Fetch(FetchRules(), issuer=stands_for.issuer)
    try:
        person = _user(account, await Passwords().hash(account.password), moment)
        await store.settle(lambda transaction: transaction.apply([Put(person)]))
        yield await open_house(
            policy=stands_for, store=store, secret_key=moment.draw(32), fetch=fetch
        )
    finally:
        fetch.close()
        await store.close()


async def follow(
    house: House, look: Callable[[], tuple[Announced, ...]], *, always: tuple[Announced, ...]
) -> None:
    """Until cancelled: take in resource servers that start while we run, let go those that end."""
    user_scope = house.policy.resources[0].scopes[0].name
    while True:
        there = look() or always
        resources = tuple(_resource(one, user_scope) for one in there)
        if resources != house.policy.resources:
            house.policy = replace(house.policy, resources=resources)
        await asyncio.sleep(LOOK_EVERY)


def _resource(server: Announced, user_scope: str) -> Resource:
    said = words(user_scope)
    needed = rules(user_scope)

    def opened_by(scope: str) -> tuple[str, ...]:
        return tuple(tool for tool, needs in needed.items() if needs == scope)

    user = Scope(user_scope, said[user_scope], baseline=True, tools=opened_by(user_scope))
    admin = Scope(
        mcp_server.ADMIN,
        said[mcp_server.ADMIN],
        group="change",
        ticked=False,
        tools=opened_by(mcp_server.ADMIN),
    )
    hashed = digest(server.secret) if server.secret else None
    return Resource(server.resource, NAME, (user, admin), introspection_secret_hash=hashed)


def _user(account: Account, password_hash: str, moment: Moment) -> User:
    return User(
        user_id=moment.secret(12),
        username=account.username,
        name=account.username,
        created_at=moment.now,
        password_hash=password_hash,
    )

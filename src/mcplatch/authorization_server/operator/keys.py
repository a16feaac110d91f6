"""The operator's view of signing keys: which there are, and the next one (RFC 7517)."""

from __future__ import annotations

from mcplatch.authorization_server import keys
from mcplatch.authorization_server.house import House
from mcplatch.records import SigningKey
from mcplatch.store.port import Transaction


async def list_keys(house: House) -> list[SigningKey]:
    """Every key that is published or waits to be forgotten, newest first. Raises `StoreDown`."""
    return await house.store.look(_all)


async def rotate(house: House) -> SigningKey:
    """Makes the next key; tokens signed by the present ones stay good. Raises `StoreDown`."""

    def work(transaction: Transaction) -> SigningKey:
        moment = house.moment(transaction)
        active_at = moment.now + house.policy.lifetimes.signing_key_overlap
        fresh = keys.new_key(house.secret_key, moment, active_at=active_at)
        transaction.apply(keys.rotate(_all(transaction), fresh, house.policy, moment.now))
        return fresh

    fresh = await house.store.settle(work)
    await house.reload_keys()
    return fresh


def _all(transaction: Transaction) -> list[SigningKey]:
    return transaction.all(SigningKey, limit=keys.MOST_KEYS, newest="created_at")

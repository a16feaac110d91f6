"""What every operation is given: the store, the keys, the policy and the doors it may use."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcplatch.authorization_server.keys import KeyRing, load_ring, open_ring
from mcplatch.authorization_server.policy import Policy
from mcplatch.fetch import Fetch
from mcplatch.moment import Draw, Moment
from mcplatch.protocol.access_token import AccessTokenClaims
from mcplatch.records import SigningKey
from mcplatch.store.port import Store, Transaction


@dataclass(slots=True)
class House:
    """One authorization server. `ring` is replaced, never changed, when keys are rotated."""

    policy: Policy
    store: Store
    secret_key: bytes = field(repr=False)
    ring: KeyRing
    fetch: Fetch
    draw: Draw | None = None
    # Signatures already verified, by digest of the token: a signature costs more than the rest.
    seen_tokens: dict[str, AccessTokenClaims] = field(default_factory=dict, repr=False)

    def moment(self, transaction: Transaction) -> Moment:
        """The time of this transaction, and chance."""
        return Moment(transaction.now) if self.draw is None else Moment(transaction.now, self.draw)

    async def reload_keys(self) -> None:
        """Takes up keys that another node or an operator has made. Raises `StoreDown`,
        `SealBroken`.
        """
        records, now = await self.store.look(lambda t: (t.all(SigningKey), t.now))
        self.ring = open_ring(records, self.secret_key, now)
        self.seen_tokens.clear()


async def open_house(*, policy: Policy, store: Store, secret_key: bytes, fetch: Fetch) -> House:
    """A house with its keys; the first start of a deployment makes them. Raises `SealBroken`."""
    ring = await load_ring(store, secret_key, policy)
    return House(policy, store, secret_key, ring, fetch)

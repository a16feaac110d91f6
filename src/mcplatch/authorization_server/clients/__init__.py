"""Who a client is: one file a kind, listed in `KINDS`; the first that owns an id answers for it."""

from __future__ import annotations

from typing import Protocol

from mcplatch.authorization_server.clients import document, dynamic, registered
from mcplatch.authorization_server.clients.known import Evidence, used
from mcplatch.authorization_server.policy import Policy
from mcplatch.fetch import Fetch
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import Client
from mcplatch.store.port import Store, Transaction

__all__ = ["KINDS", "Evidence", "Kind", "gather_client", "read_client", "used"]


class Kind(Protocol):
    """What a file of this folder offers."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  (a module's constant)

    def owns(self, client_id: str, /) -> bool: ...

    async def gather(
        self, client_id: str, /, *, fetch: Fetch, store: Store, policy: Policy, now: int
    ) -> Evidence | Refusal: ...

    def read(
        self, transaction: Transaction, client_id: str, evidence: Evidence, /
    ) -> Client | Refusal: ...


KINDS: tuple[Kind, ...] = (document, dynamic, registered)


async def gather_client(
    client_id: str, *, fetch: Fetch, store: Store, policy: Policy, now: int
) -> Evidence | Refusal:
    """What has to be found out about a client before the transaction: its document, if it has one.

    For the authorization endpoint; a client at the token endpoint is read from the table. `now` is
    the store's time in seconds. Raises `StoreDown`.
    """
    kind = _kind_of(client_id)
    return await kind.gather(client_id, fetch=fetch, store=store, policy=policy, now=now)


def read_client(transaction: Transaction, client_id: str, evidence: Evidence) -> Client | Refusal:
    """The client, inside the transaction; what the evidence says of it is written down with it."""
    return _kind_of(client_id).read(transaction, client_id, evidence)


def _kind_of(client_id: str) -> Kind:
    return next(kind for kind in KINDS if kind.owns(client_id))

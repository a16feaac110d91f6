"""Clients that the operator added beforehand, in the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mcplatch.authorization_server.clients.known import Evidence, blocked, standing
from mcplatch.authorization_server.policy import Policy
from mcplatch.fetch import Fetch
from mcplatch.moment import digest
from mcplatch.protocol.client_metadata import ClientMetadata, digest_of
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import Client, Deployment
from mcplatch.store.port import Change, Put, Replace, Store, Transaction

NAME = "registered"

# Which clients the configuration named last time, so that one it no longer names loses its access
# and one that was added in another way does not.
CONFIGURED = "configured-clients"


def owns(client_id: str) -> bool:
    """Every id that is not of another kind."""
    return True


async def gather(
    client_id: str, *, fetch: Fetch, store: Store, policy: Policy, now: int
) -> Evidence | Refusal:
    """Nothing is to be found out."""
    return Evidence(client_id)


def read(transaction: Transaction, client_id: str, evidence: Evidence) -> Client | Refusal:
    """The client as registered."""
    return standing(transaction.one(Client, client_id=client_id))


def configured_client(
    client_id: str,
    *,
    name: str,
    redirect_uris: Iterable[str],
    secret: str | None = None,
    method: str | None = None,
) -> Client:
    """The record of a client that the configuration names; without a secret it is public."""
    metadata = ClientMetadata(
        redirect_uris=tuple(redirect_uris),
        client_name=name,
        token_endpoint_auth_method=method or ("none" if secret is None else "client_secret_basic"),
        grant_types=("authorization_code", "refresh_token"),
        application_type="native",
    )
    return Client(
        client_id=client_id,
        kind=NAME,
        client_name=name,
        redirect_uris=metadata.redirect_uris,
        grant_types=metadata.grant_types,
        token_endpoint_auth_method=metadata.token_endpoint_auth_method,
        digest=digest_of(metadata, {}),
        created_at=0,
        secret_hash=None if secret is None else digest(secret),
    )


async def settle_configured(store: Store, clients: Iterable[Client]) -> None:
    """Brings the table in line with the configuration; to be called at every start.

    Raises `StoreDown`.
    """
    wanted = {client.client_id: client for client in clients}
    await store.settle(lambda transaction: transaction.apply(_changes(transaction, wanted)))


def _changes(transaction: Transaction, wanted: dict[str, Client]) -> list[Change]:
    now = transaction.now
    changes: list[Change] = []
    for client in wanted.values():
        found = transaction.one(Client, lock=True, client_id=client.client_id)
        if found is None:
            changes.append(Put(replace(client, created_at=now)))
        else:
            updated = replace(client, created_at=found.created_at, last_used_at=found.last_used_at)
            changes.append(Replace(found, updated))
    remembered = transaction.one(Deployment, lock=True, name=CONFIGURED)
    for gone in remembered.value.split() if remembered else []:
        found = None if gone in wanted else transaction.one(Client, lock=True, client_id=gone)
        if found is not None and found.blocked_at is None:
            changes.append(Replace(found, blocked(found, now)))
    named = Deployment(name=CONFIGURED, value=" ".join(sorted(wanted)))
    changes.append(Put(named) if remembered is None else Replace(remembered, named))
    return changes

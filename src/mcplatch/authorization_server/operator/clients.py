"""The operator's view of clients: adding one beforehand, and turning one away (RFC 7591 1.3)."""

from __future__ import annotations

from dataclasses import replace

from mcplatch.authorization_server.clients import document, dynamic, registered
from mcplatch.authorization_server.clients.known import blocked
from mcplatch.authorization_server.operator.grants import end_grants
from mcplatch.protocol.redirect_uri import check_redirect_uri
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AuditEvent, Client
from mcplatch.store.port import Forget, Put, Replace, Transaction

CLIENT_ID_MALFORMED = Reason(
    "operator-client-id-malformed",
    "invalid_request",
    "A client id added beforehand has 1 to 200 printable ASCII characters and no kind of its own.",
    "RFC 6749 A.1",
)
CLIENT_ID_TAKEN = Reason(
    "operator-client-id-taken",
    "invalid_request",
    "There is a client of this id.",
    "RFC 6749 2.2",
    409,
)
CLIENT_MISSING = Reason(
    "operator-client-missing",
    "invalid_request",
    "There is no client of this id.",
    "RFC 6749 2.2",
    404,
)
MOST_ID = 200
MOST_LISTED = 10_000


def list_clients(transaction: Transaction) -> list[Client]:
    """Every client that is known, of all kinds, newest first."""
    return transaction.all(Client, limit=MOST_LISTED, newest="created_at")


def add_client(
    transaction: Transaction, client: Client, *, private_uris: frozenset[str]
) -> Client | Refusal:
    """A client of the operator's choosing; `private_uris` are app addresses that are allowed."""
    if not _may_be_added(client.client_id):
        return Refusal(CLIENT_ID_MALFORMED)
    for uri in client.redirect_uris:
        if (wrong := check_redirect_uri(uri, private_schemes=private_uris)) is not None:
            return Refusal(wrong.reason, uri)
    if transaction.one(Client, client_id=client.client_id) is not None:
        return Refusal(CLIENT_ID_TAKEN, client.client_id)
    added = replace(client, created_at=transaction.now)
    transaction.apply([Put(added), _event("client-added", added, transaction.now)])
    return added


def remove_client(transaction: Transaction, *, client_id: str) -> Client | Refusal:
    """Ends everything a client was allowed; one that could come back by itself stays blocked."""
    client = transaction.one(Client, lock=True, client_id=client_id)
    if client is None:
        return Refusal(CLIENT_MISSING, client_id)
    gone = (
        Forget(client)
        if client.kind == registered.NAME
        else Replace(client, blocked(client, transaction.now))
    )
    transaction.apply(
        [
            *end_grants(transaction, "client-removed", client_id=client_id),
            gone,
            _event("client-removed", client, transaction.now),
        ]
    )
    return client


def _may_be_added(client_id: str) -> bool:
    printable = client_id.isascii() and client_id.isprintable() and " " not in client_id
    other_kind = document.owns(client_id) or dynamic.owns(client_id)
    return 0 < len(client_id) <= MOST_ID and printable and not other_kind


def _event(kind: str, client: Client, at: int) -> Put:
    return Put(
        AuditEvent(at=at, kind=kind, outcome="done", reason="operator", client_id=client.client_id)
    )

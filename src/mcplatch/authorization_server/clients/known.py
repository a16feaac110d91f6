"""What all kinds of client have in common: why one is not known, and how long a record lives."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcplatch.authorization_server.policy import DAY, Lifetimes
from mcplatch.protocol.client_id_document import ClientDocument
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import Client

NEVER_USED_LIFETIME = DAY

NOT_KNOWN_HERE = Reason(
    "client-not-known-here",
    "invalid_client",
    "This client is not known here. It may have to forget this server and register again.",
    "RFC 6749 5.2",
)
NOT_WELCOME = Reason(
    "client-not-welcome",
    "invalid_client",
    "The operator of this server has blocked this client.",
    "OAuth 2.1 4.1.2.1",
)
DOCUMENTS_OFF = Reason(
    "client-documents-off",
    "invalid_client",
    "This server does not accept clients by metadata document.",
    "CIMD 5",
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out before the transaction about `client_id`: its document if just fetched."""

    client_id: str
    document: ClientDocument | None = None


def standing(client: Client | None) -> Client | Refusal:
    """The client, if it is known and not blocked (AS-88)."""
    if client is None:
        return Refusal(NOT_KNOWN_HERE)
    return client if client.blocked_at is None else Refusal(NOT_WELCOME, client.client_id)


def used(client: Client, now: int, lifetimes: Lifetimes) -> Client:
    """The record after somebody allowed the client something at `now` (AS-87).

    It then lives a day longer than any refresh token it can get from that, so a client with a live
    one is never swept; what an operator registered lives until the operator says otherwise.
    """
    if client.kind == "registered":
        return replace(client, last_used_at=now)
    lives_until = now + max(lifetimes.refresh_idle, lifetimes.refresh_absolute) + DAY
    return replace(client, last_used_at=now, expires_at=max(client.expires_at or 0, lives_until))


def blocked(client: Client, now: int) -> Client:
    """The record of a client that the operator turns away.

    It is never swept: a client that could register again under the same id would be back.
    """
    return replace(client, blocked_at=client.blocked_at or now, expires_at=None)


def kept(client: Client, now: int) -> Client:
    """The record with a day before it, so that what somebody has just begun can be finished."""
    if client.expires_at is None or client.expires_at > now + NEVER_USED_LIFETIME // 2:
        return client
    return replace(client, expires_at=now + NEVER_USED_LIFETIME)

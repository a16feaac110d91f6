"""Clients that registered themselves (RFC 7591); how they come to be is in `register.py`."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

from mcplatch.authorization_server.clients.known import (
    NEVER_USED_LIFETIME,
    Evidence,
    kept,
    standing,
)
from mcplatch.authorization_server.policy import Policy
from mcplatch.fetch import Fetch
from mcplatch.moment import Moment, digest
from mcplatch.protocol.client_metadata import ClientMetadata, digest_of
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import Client
from mcplatch.store.port import Replace, Store, Transaction

NAME = "dynamic"
PREFIX = "dyn-"  # AS-70: an id of ours never looks like the URL of a document


def owns(client_id: str) -> bool:
    """Ids that this server made up."""
    return client_id.startswith(PREFIX)


async def gather(
    client_id: str, *, fetch: Fetch, store: Store, policy: Policy, now: int
) -> Evidence | Refusal:
    """Nothing is to be found out: nothing that such a client says about itself is ever fetched."""
    return Evidence(client_id)


def read(transaction: Transaction, client_id: str, evidence: Evidence) -> Client | Refusal:
    """The client, kept long enough for its person to answer (AS-52)."""
    client = standing(transaction.one(Client, client_id=client_id))
    if isinstance(client, Refusal):
        return client
    longer = kept(client, transaction.now)
    if longer != client:
        transaction.apply((Replace(client, longer),))
    return longer


def new_client(metadata: ClientMetadata, secret: str | None, moment: Moment) -> Client:
    """The record of a client that registers with `metadata` and, if confidential, gets `secret`."""
    return Client(
        client_id=public_id(metadata) if secret is None else PREFIX + moment.secret(24),
        kind=NAME,
        client_name=metadata.client_name,
        redirect_uris=metadata.redirect_uris,
        grant_types=metadata.grant_types,
        token_endpoint_auth_method=metadata.token_endpoint_auth_method,
        digest=digest_of(metadata, {}),
        created_at=moment.now,
        secret_hash=None if secret is None else digest(secret),
        scope=metadata.scope,
        application_type=metadata.application_type,
        client_uri=metadata.client_uri,
        expires_at=moment.now + NEVER_USED_LIFETIME,
    )


def public_id(metadata: ClientMetadata) -> str:
    """The id of a public client: the same metadata always get the same one.

    Many clients register at every start; without a secret there is nothing to tell two of them
    apart by, and one record can be found, shown and blocked where hundreds cannot.
    """
    said = [
        metadata.redirect_uris,
        metadata.client_name,
        metadata.grant_types,
        metadata.application_type,
        metadata.scope,
        metadata.client_uri,
    ]
    text = json.dumps(said, separators=(",", ":"))
    return PREFIX + urlsafe_b64encode(sha256(text.encode()).digest()[:24]).decode()

"""Clients whose id is the https URL of their own description (Client ID Metadata Documents).

The document is fetched when a person is about to be asked, never at the token endpoint: what was
shown at consent is what holds for the whole transaction (AS-67).
"""

from __future__ import annotations

from dataclasses import replace

from mcplatch.authorization_server.clients.known import (
    DOCUMENTS_OFF,
    NEVER_USED_LIFETIME,
    NOT_KNOWN_HERE,
    Evidence,
    kept,
    standing,
)
from mcplatch.authorization_server.limits import EVERYBODY, Exceeded, Limit, pay
from mcplatch.authorization_server.policy import Policy
from mcplatch.fetch import FETCH_TOO_OFTEN, Fetch, FetchFailed
from mcplatch.protocol.client_id_document import (
    CacheLimits,
    ClientDocument,
    check_client_id_url,
    host_in,
    is_document_url,
    parse_document,
    seconds_fresh,
)
from mcplatch.protocol.client_metadata import ClientOffer
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import AuditEvent, Client
from mcplatch.store.port import Put, Replace, Store, Transaction

NAME = "document"

# A document that may not be kept is still not fetched for every one of a crowd: one that is at most
# this old stands in while its host is being spared.
STANDS_IN_SECONDS = 60

NEW_OF_ONE_HOST = Limit("new documents", 60, 60)
NEW_ALTOGETHER = Limit("new documents", 600, 60)

DOCUMENTS_TOO_MANY = Reason(
    "client-documents-too-many",
    "temporarily_unavailable",
    "Too many new clients came at once. Try again in a minute.",
    "CIMD 6.5",
    429,
)

_CACHE = CacheLimits()


def owns(client_id: str) -> bool:
    """Ids that are, or claim to be, an https URL."""
    return is_document_url(client_id)


async def gather(
    client_id: str, *, fetch: Fetch, store: Store, policy: Policy, now: int
) -> Evidence | Refusal:
    """The document, unless the last one is still fresh. `detail` of a refusal names the host."""
    if not policy.client_documents:
        return Refusal(DOCUMENTS_OFF)
    malformed = check_client_id_url(client_id)
    if malformed is not None:
        return malformed
    known = await store.look(lambda transaction: transaction.one(Client, client_id=client_id))
    if known is not None and (known.blocked_at is not None or fetch.is_fresh(client_id)):
        return Evidence(client_id)
    relied_on = known is not None and known.last_used_at is not None
    answer = await fetch.get(client_id, known=relied_on)
    if isinstance(answer, FetchFailed):
        recent = known is not None and (known.fetched_at or 0) > now - STANDS_IN_SECONDS
        if answer.reason is FETCH_TOO_OFTEN and recent:
            return Evidence(client_id)
        return Refusal(answer.reason, host_in(client_id))
    document = parse_document(
        client_id=client_id,
        status=answer.status,
        content_type=answer.headers.get("content-type", ""),
        body=answer.body,
        offer=ClientOffer(auth_methods=("none",), private_uris=policy.private_redirect_uris),
    )
    if isinstance(document, Refusal):
        return Refusal(document.reason, f"{host_in(client_id)}: {document.detail}".rstrip(": "))
    fetch.keep_fresh(client_id, seconds_fresh(answer.headers, _CACHE))
    return Evidence(client_id, document)


def read(transaction: Transaction, client_id: str, evidence: Evidence) -> Client | Refusal:
    """The client as its document has it now; a change of what people agreed to leaves a trace."""
    found = transaction.one(Client, lock=True, client_id=client_id)
    if found is not None and found.blocked_at is not None:
        return standing(found)
    if evidence.document is None:
        if found is None:
            return Refusal(NOT_KNOWN_HERE, host_in(client_id))
        current = kept(found, transaction.now)
    else:
        current = _described(client_id, evidence.document, found, transaction.now)
    if found is None:
        return _remembered(transaction, current)
    if current != found:
        transaction.apply((Replace(found, current),))
    if current.digest != found.digest:
        changed = AuditEvent(
            at=transaction.now,
            kind="client-document-changed",
            outcome="done",
            client_id=client_id,
            detail=f"{found.digest} {current.digest}",
        )
        transaction.apply((Put(changed),))
    return current


def _remembered(transaction: Transaction, client: Client) -> Client | Refusal:
    """A client that nobody brought before; no host can fill the table with as many as it likes."""
    host = host_in(client.client_id)
    paid = pay(transaction, ((NEW_OF_ONE_HOST, host), (NEW_ALTOGETHER, EVERYBODY)))
    if isinstance(paid, Exceeded):
        return Refusal(DOCUMENTS_TOO_MANY, host)
    transaction.apply((*paid.changes, Put(client)))
    return client


def _described(client_id: str, document: ClientDocument, found: Client | None, now: int) -> Client:
    metadata = document.metadata
    described = Client(
        client_id=client_id,
        kind=NAME,
        client_name=metadata.client_name,
        redirect_uris=metadata.redirect_uris,
        grant_types=metadata.grant_types,
        token_endpoint_auth_method=metadata.token_endpoint_auth_method,
        digest=document.digest,
        created_at=now,
        scope=metadata.scope,
        application_type=metadata.application_type,
        client_uri=metadata.client_uri,
        fetched_at=now,
        expires_at=now + NEVER_USED_LIFETIME,
    )
    if found is None:
        return described
    return replace(
        described,
        created_at=found.created_at,
        last_used_at=found.last_used_at,
        expires_at=max(found.expires_at or 0, now + NEVER_USED_LIFETIME),
    )

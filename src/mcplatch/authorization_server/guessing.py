"""Who asks, and how often a secret may be guessed (OAuth 2.1 section 7.8, AS-99).

Wrong secrets are counted for one client from one address: a stranger who guesses slows nobody but
himself down. A right secret costs one look at a bucket that is usually not there.
"""

from __future__ import annotations

from mcplatch.authorization_server.client_authentication import (
    SECRET_WRONG,
    Credentials,
    authenticate,
)
from mcplatch.authorization_server.limits import Exceeded, Limit, decide, subject_of
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.records import Bucket, Client
from mcplatch.store.port import Transaction

GUESSES = Limit("secret guesses", 30, 60)

GUESSES_TOO_MANY = Reason(
    "secret-guesses-too-many",
    "temporarily_unavailable",
    "Too many failed attempts. Wait a minute and try again.",
    "OAuth 2.1 7.8",
    429,
)


def admit(
    transaction: Transaction, credentials: Credentials, address: str | None
) -> Client | Refusal:
    """The authenticated client, or why it is not let in; a wrong secret is counted."""
    found = transaction.one(Client, client_id=credentials.client_id)
    if credentials.secret is None:
        return authenticate(found, credentials)
    if is_guessing(transaction, credentials.client_id, address):
        return Refusal(GUESSES_TOO_MANY)
    client = authenticate(found, credentials)
    if isinstance(client, Refusal) and client.reason is SECRET_WRONG:
        count_guess(transaction, credentials.client_id, address)
    return client


def is_guessing(transaction: Transaction, of: str, address: str | None) -> bool:
    """Whether too many secrets `of` this client or resource were wrong from `address` lately."""
    bucket, subject = _bucket(transaction, of, address)
    if bucket is None:
        return False
    return isinstance(decide(bucket, GUESSES, subject, now=transaction.now), Exceeded)


def count_guess(transaction: Transaction, of: str, address: str | None) -> None:
    """Counts a wrong secret."""
    bucket, subject = _bucket(transaction, of, address)
    counted = decide(bucket, GUESSES, subject, now=transaction.now)
    if not isinstance(counted, Exceeded):
        transaction.apply(counted.changes)


def _bucket(transaction: Transaction, of: str, address: str | None) -> tuple[Bucket | None, str]:
    subject = f"{of} {subject_of(address)}"
    return transaction.one(Bucket, key=GUESSES.key(subject)), subject

"""Signing keys: sealed at rest, published before they sign, kept until nothing they signed is alive
(RFC 7517).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mcplatch import jose
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment
from mcplatch.records import AuditEvent, Deployment, SigningKey
from mcplatch.seal import derive_key, seal, unseal
from mcplatch.store.port import Change, Forget, Put, Replace, Store, Transaction, replacing

ALGORITHM = "ES256"
MOST_KEYS = 32
SKEW = 60
PURPOSE = "signing keys"
FIRST_KEY = "first-signing-key"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one moment, opened, the youngest first: what to sign with and what to publish."""

    records: tuple[SigningKey, ...]
    signers: dict[str, jose.Signer]
    public: jose.PublicKeySet
    document: bytes

    def signer(self, now: int) -> jose.Signer:
        """The key that signs at `now`: the youngest that is active and not retired."""
        for record in self.records:
            if record.active_at <= now and not _is_retired(record, now):
                return self.signers[record.kid]
        raise LookupError("no signing key is active")


def open_ring(records: Iterable[SigningKey], secret_key: bytes, now: int) -> KeyRing:
    """Opens the sealed keys. Raises `SealBroken` when `secret_key` is not the one they were sealed
    with.
    """
    kept = sorted(
        (record for record in records if not _is_retired(record, now)),
        key=lambda record: (record.active_at, record.kid),
        reverse=True,
    )
    sealing = derive_key(secret_key, PURPOSE)
    signers = {
        record.kid: jose.signer(
            record.kid, unseal(sealing, record.sealed_private, bound_to=record.kid)
        )
        for record in kept
    }
    document: dict[str, Any] = {"keys": [json.loads(record.public_jwk) for record in kept]}
    return KeyRing(
        tuple(kept), signers, jose.PublicKeySet.parse(document), json.dumps(document).encode()
    )


async def load_ring(store: Store, secret_key: bytes, policy: Policy) -> KeyRing:
    """The keys of this deployment; the first start makes the first one. Raises `SealBroken`."""
    records, now = await store.look(lambda t: (t.all(SigningKey, limit=MOST_KEYS), t.now))
    if not any(record.active_at <= now and not _is_retired(record, now) for record in records):
        await store.settle(lambda t: _make_first(t, secret_key))
        records, now = await store.look(lambda t: (t.all(SigningKey, limit=MOST_KEYS), t.now))
    return open_ring(records, secret_key, now)


def _make_first(transaction: Transaction, secret_key: bytes) -> None:
    """Makes a key if none can sign. Nodes that start together meet at one row, and one wins."""
    known = transaction.one(Deployment, lock=True, name=FIRST_KEY)
    # Read only now that the row is held: another node's key is in the table before its claim is.
    present = transaction.all(SigningKey, limit=MOST_KEYS)
    if any(not _is_retired(record, transaction.now) for record in present):
        return
    fresh = new_key(secret_key, Moment(transaction.now), active_at=transaction.now)
    first = Deployment(name=FIRST_KEY, value=fresh.kid)
    claim = Put(first) if known is None else Replace(known, first)
    transaction.apply((claim, Put(fresh), _event(transaction.now, "key-created", fresh)))


def new_key(secret_key: bytes, moment: Moment, *, active_at: int) -> SigningKey:
    """A fresh key that is published now and signs from `active_at`."""
    pem = jose.new_private_key()
    kid = jose.thumbprint(pem)
    return SigningKey(
        kid=kid,
        algorithm=ALGORITHM,
        public_jwk=json.dumps(jose.public_jwk(pem, kid)),
        sealed_private=seal(derive_key(secret_key, PURPOSE), pem, bound_to=kid),
        created_at=moment.now,
        active_at=active_at,
    )


def rotate(
    present: Iterable[SigningKey], fresh: SigningKey, policy: Policy, now: int
) -> tuple[Change, ...]:
    """Plans the next key: published `signing_key_overlap` before it signs, and the old ones leave
    when the last token they signed has run out, so that nobody is refused on the way.
    """
    leave = fresh.active_at + policy.lifetimes.access_token + SKEW
    changes: list[Change] = [Put(fresh), _event(now, "key-rotated", fresh)]
    for record in present:
        if record.retired_at is not None and record.retired_at <= now:
            changes.append(Forget(record))
        elif record.retired_at is None:
            changes.append(replacing(record, retired_at=leave)[1])
    return tuple(changes)


def _event(now: int, kind: str, key: SigningKey) -> Put:
    return Put(AuditEvent(at=now, kind=kind, outcome="done", detail=key.kid))


def _is_retired(record: SigningKey, now: int) -> bool:
    return record.retired_at is not None and record.retired_at <= now

"""Dynamic client registration (RFC 7591), for today's clients; MCP 2026-07-28 deprecates it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mcplatch.authorization_server.clients.dynamic import new_client
from mcplatch.authorization_server.clients.known import kept
from mcplatch.authorization_server.decision import Refused
from mcplatch.authorization_server.house import House
from mcplatch.authorization_server.limits import EVERYBODY, Exceeded, pay, subject_of
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment
from mcplatch.protocol.client_metadata import (
    SECRET_METHODS,
    ClientMetadata,
    ClientOffer,
    parse_client_metadata,
    registration_answer,
)
from mcplatch.protocol.refusal import Reason, Refusal
from mcplatch.protocol.scope import format_scope
from mcplatch.records import AuditEvent, Client
from mcplatch.store.port import Change, Put, Replace, Transaction

REGISTRATION_OFF = Reason(
    "registration-off",
    "access_denied",
    "This server does not accept clients that register themselves.",
    "RFC 7591 3.2.2",
    403,
)
REGISTRATIONS_TOO_MANY = Reason(
    "registrations-too-many",
    "temporarily_unavailable",
    "There were too many registrations. Try again later.",
    "RFC 7591 5",
    429,
)


@dataclass(frozen=True, slots=True)
class Registered:
    """Yes: the client, with its secret where it has one; the secret is shown this once."""

    client: Client
    metadata: ClientMetadata
    secret: str | None = field(default=None, repr=False)
    changes: tuple[Change, ...] = ()


async def answer(
    body: bytes,
    house: House,
    *,
    address: str | None = None,
) -> dict[str, object] | Refused:
    """The body of the 201 answer to a registration request, or the refusal (a 429 among them).

    `address` is the requester's, for the limits. Raises `StoreDown`.
    """
    if not house.policy.dynamic_registration:
        return Refused(REGISTRATION_OFF)
    metadata = parse_client_metadata(body, offer_of(house.policy))
    if isinstance(metadata, Refusal):
        return Refused(metadata.reason, detail=metadata.detail)
    asked = (
        (house.policy.registrations_per_address, subject_of(address)),
        (house.policy.registrations_altogether, EVERYBODY),
    )

    def work(transaction: Transaction) -> Registered | Refused:
        paid = pay(transaction, asked)
        if isinstance(paid, Exceeded):
            return Refused(REGISTRATIONS_TOO_MANY, retry_after=paid.retry_after)
        wanted = proposed(metadata, house.moment(transaction))
        known = transaction.one(Client, lock=True, client_id=wanted.client.client_id)
        decision = decide(wanted, known, now=transaction.now, address=address)
        transaction.apply((*paid.changes, *decision.changes))
        return decision

    registered = await house.store.settle(work)
    return registered if isinstance(registered, Refused) else _body(registered, house.policy)


def offer_of(policy: Policy) -> ClientOffer:
    """What a client that registers itself can have here."""
    return ClientOffer(
        scopes=frozenset(policy.scopes_supported()), private_uris=policy.private_redirect_uris
    )


def proposed(metadata: ClientMetadata, moment: Moment) -> Registered:
    """The client as it would be if it is new; a secret has 256 bits and needs no slow hash."""
    confidential = metadata.token_endpoint_auth_method in SECRET_METHODS
    secret = moment.secret() if confidential else None
    return Registered(new_client(metadata, secret, moment), metadata, secret)


def decide(
    wanted: Registered, known: Client | None, *, now: int, address: str | None
) -> Registered:
    """A new client, or the one with the same public metadata that is `known` already (AS-87)."""
    if known is None:
        event = AuditEvent(
            at=now,
            kind="client-registered",
            outcome="done",
            client_id=wanted.client.client_id,
            address=address,
        )
        return replace(wanted, changes=(Put(wanted.client), Put(event)))
    longer = kept(known, now)
    return replace(wanted, client=longer, changes=(Replace(known, longer),))


def _body(registered: Registered, policy: Policy) -> dict[str, object]:
    body = registration_answer(
        registered.metadata,
        client_id=registered.client.client_id,
        issued_at=registered.client.created_at,
        client_secret=registered.secret,
    )
    # Some clients ask for the scope that they find here; without one they would ask for everything.
    usual = dict.fromkeys(name for r in policy.resources for name in r.default_scope())
    if "scope" not in body and usual:
        body["scope"] = format_scope(usual)
    return body

"""What a consent page asks, and how it looks beside what was allowed before (AS-145, AS-146)."""

from __future__ import annotations

from dataclasses import dataclass

from mcplatch.authorization_server.policy import DAY, Policy, Resource, Scope
from mcplatch.authorization_server.steps import AskConsent
from mcplatch.protocol.redirect_uri import host_of, is_loopback
from mcplatch.records import Grant
from mcplatch.store.port import Transaction

MOST_EARLIER = 20
ACCESS_DAYS = (1, 30, 90)


def read_question(transaction: Transaction, step: AskConsent, policy: Policy) -> Question | None:
    """What to ask, and how it looks beside what this person allowed before.

    None when the resource is no longer protected here.
    """
    interaction = step.interaction
    resource = policy.resource(interaction.resource)
    if resource is None:
        return None
    scopes = tuple(scope for scope in resource.scopes if scope.name in interaction.scope)
    user_id = step.signed_in.user.user_id
    same = transaction.all(
        Grant,
        limit=1,
        newest="created_at",
        user_id=user_id,
        client_id=interaction.client_id,
        resource=resource.identifier,
    )
    namesakes = transaction.all(
        Grant,
        limit=MOST_EARLIER,
        newest="created_at",
        user_id=user_id,
        client_name=step.client.client_name,
    )
    known = {_answers_at(grant.redirect_uri) for grant in namesakes}
    strange = known and not same and _answers_at(interaction.redirect_uri) not in known
    return Question(
        step,
        resource,
        scopes,
        access_days(policy),
        last_grant=same[0] if same else None,
        look_alike=min(known) if strange else None,
    )


def access_days(policy: Policy) -> tuple[int, ...]:
    """How many days a person may keep access for: what the operator's limit leaves of them."""
    longest = policy.lifetimes.refresh_absolute
    return tuple(days for days in ACCESS_DAYS if days * DAY <= longest) or ACCESS_DAYS[:1]


def _answers_at(redirect_uri: str) -> str:
    return "a program on your computer" if is_loopback(redirect_uri) else host_of(redirect_uri)


@dataclass(frozen=True, slots=True)
class Question:
    """All that the consent page is made of."""

    step: AskConsent
    resource: Resource
    scopes: tuple[Scope, ...]
    days: tuple[int, ...] = ACCESS_DAYS
    last_grant: Grant | None = None
    look_alike: str | None = None

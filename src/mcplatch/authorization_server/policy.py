"""What the operator decided: lifetimes, resources and their scopes; the part of the configuration
that rules see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mcplatch.authorization_server.limits import Limit
from mcplatch.protocol.resource_indicator import same_resource

MINUTE, HOUR, DAY = 60, 3600, 86400

# Outside suites and offices behind one address ask dozens of times in a minute.
REGISTRATIONS = Limit("registrations", 60, 60)
REGISTRATIONS_ALTOGETHER = Limit("registrations", 600, 60)
AUTHORIZATIONS = Limit("authorizations", 300, 60)


@dataclass(frozen=True, slots=True)
class Scope:
    """One permission of a resource in plain words.

    `group` is "read", "change" or "delete". A `baseline` scope is always part of a grant; `ticked`
    is whether the consent page proposes it; `tools` names what it opens.
    """

    name: str
    description: str
    group: str = "read"
    baseline: bool = False
    ticked: bool = True
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resource:
    """A protected resource. `identifier` goes into tokens exactly as spelled here (RFC 8707)."""

    identifier: str
    name: str
    scopes: tuple[Scope, ...] = ()
    introspection_secret_hash: str | None = field(default=None, repr=False)
    access_token_format: str = "jwt"

    def scope_names(self) -> tuple[str, ...]:
        """Every scope a client may ask for here."""
        return tuple(scope.name for scope in self.scopes)

    def default_scope(self) -> tuple[str, ...]:
        """What a request that names no scope asks for: whatever is baseline or proposed."""
        return tuple(s.name for s in self.scopes if s.baseline or (s.ticked and s.group == "read"))


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things live, in seconds. `retry` and `retry_unconfirmed` are W and W2 of a
    refresh.
    """

    access_token: int = 10 * MINUTE
    authorization_code: int = 60
    interaction: int = 10 * MINUTE
    refresh_idle: int = 30 * DAY
    refresh_absolute: int = 90 * DAY
    retry: int = 30
    retry_unconfirmed: int = 10 * MINUTE
    session: int = 12 * HOUR
    signing_key_overlap: int = 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a decision may depend on besides the facts. `issuer` is spelled as configured."""

    issuer: str
    resources: tuple[Resource, ...]
    lifetimes: Lifetimes = Lifetimes()
    operator: str = "mcplatch"
    dynamic_registration: bool = True
    client_documents: bool = True
    private_redirect_uris: frozenset[str] = frozenset()
    most_retries: int = 10
    registrations_per_address: Limit = REGISTRATIONS
    registrations_altogether: Limit = REGISTRATIONS_ALTOGETHER
    authorizations_per_address: Limit = AUTHORIZATIONS

    _spelled: dict[str, Resource] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Every resource by its configured spelling, which is how nearly everybody names it."""
        spelled = {resource.identifier: resource for resource in self.resources}
        object.__setattr__(self, "_spelled", spelled)

    def resource(self, identifier: str) -> Resource | None:
        """The resource that `identifier` names, in any tolerated spelling (AS-120)."""
        found = self._spelled.get(identifier)
        if found is not None:
            return found
        for resource in self.resources:
            if same_resource(resource.identifier, identifier):
                return resource
        return None

    def scopes_supported(self) -> tuple[str, ...]:
        """Every scope of every resource, each once."""
        return tuple(dict.fromkeys(n for r in self.resources for n in r.scope_names()))

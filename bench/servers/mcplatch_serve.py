"""`mcplatch serve`, its limits still counted but too wide for a load from one address to meet."""

from __future__ import annotations

from dataclasses import replace

from mcplatch.authorization_server import register
from mcplatch.authorization_server.limits import Limit
from mcplatch.authorization_server.policy import Policy
from mcplatch.cli import wiring
from mcplatch.cli.main import main
from mcplatch.config import Config

WIDE = 10**9
configured = wiring.policy_of


def widened(config: Config) -> Policy:
    policy = configured(config)
    return replace(policy, authorizations_per_address=_wide(policy.authorizations_per_address))


def _wide(limit: Limit) -> Limit:
    return replace(limit, times=WIDE)


wiring.policy_of = widened
defaults = register.answer.__kwdefaults__
assert defaults is not None
defaults["altogether"] = _wide(register.ALTOGETHER)
main()

"""The grant types of the token endpoint: one file each, listed here; metadata and endpoint read the
tuple.
"""

from __future__ import annotations

from typing import Any, Protocol

from mcplatch.authorization_server.decision import Issued, Refused, Repeated
from mcplatch.authorization_server.grant_types import authorization_code, refresh_token
from mcplatch.authorization_server.policy import Policy
from mcplatch.moment import Moment
from mcplatch.protocol.parameters import Parameters
from mcplatch.protocol.refusal import Refusal
from mcplatch.records import Client
from mcplatch.store.port import Transaction


class GrantType(Protocol):
    """What a file of this folder offers; request and facts are its own types."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  (a module's constant)

    def parse(self, form: Parameters, /) -> Any | Refusal: ...

    def read(self, transaction: Transaction, request: Any, /) -> Any: ...

    def decide(
        self, request: Any, facts: Any, client: Client, policy: Policy, moment: Moment, /
    ) -> Issued | Repeated | Refused: ...


GRANT_TYPES: tuple[GrantType, ...] = (authorization_code, refresh_token)
BY_NAME = {grant_type.NAME: grant_type for grant_type in GRANT_TYPES}

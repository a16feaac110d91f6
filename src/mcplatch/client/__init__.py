"""The client's room: signs a person in to an MCP server once, keeps the tokens, renews them, asks
for more.

    from mcplatch.client import Wallet
    auth = Wallet().auth("https://notes.example/mcp")     # an httpx2.Auth

Flows (`discover`, `register`, `authorize`, `tokens`, `sign_in`, `step_up`) decide and do no I/O;
`drive`, `http`, `listener`, `browser`, `person` do the I/O; `wallet` remembers; `auth` puts it
together.
"""

from __future__ import annotations

from mcplatch.client.auth import LatchAuth
from mcplatch.client.errors import (
    Denied,
    LatchError,
    ServerFault,
    SignInNeeded,
    Unreachable,
    Untrusted,
    WalletTrouble,
)
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.step_up import StepUp
from mcplatch.client.wallet import Wallet

__all__ = [
    "Denied",
    "LatchAuth",
    "LatchError",
    "ServerFault",
    "SignInNeeded",
    "SignInRequest",
    "StepUp",
    "Unreachable",
    "Untrusted",
    "Wallet",
    "WalletTrouble",
]

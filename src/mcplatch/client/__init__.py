"""The client's room: signs a person in to an MCP server once, keeps the tokens, renews them, asks
for more.

    from mcplatch.client import Wallet
    auth = Wallet().auth("https://notes.example/mcp")     # an httpx2.Auth

Flows (`discover`, `register`, `authorize`, `tokens`, `sign_in`, `step_up`) decide and do no I/O;
`drive`, `http`, `listener`, `browser`, `person` do the I/O; `wallet` remembers; `account` and
`auth` put it together. Names are imported when they are asked for: a command that only looks into
the wallet loads no HTTP.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcplatch.client.account import Account
    from mcplatch.client.auth import LatchAuth
    from mcplatch.client.errors import (
        Denied,
        LatchError,
        NoSignInNeeded,
        ServerFault,
        SignInNeeded,
        Unreachable,
        Untrusted,
        WalletTrouble,
    )
    from mcplatch.client.program import ClientCredentials, Enterprise, Workload
    from mcplatch.client.sdk_storage import SdkStorage
    from mcplatch.client.sign_in_request import SignInRequest
    from mcplatch.client.step_up import StepUp
    from mcplatch.client.wallet import Wallet

__all__ = [
    "Account",
    "ClientCredentials",
    "Denied",
    "Enterprise",
    "LatchAuth",
    "LatchError",
    "NoSignInNeeded",
    "SdkStorage",
    "ServerFault",
    "SignInNeeded",
    "SignInRequest",
    "StepUp",
    "Unreachable",
    "Untrusted",
    "Wallet",
    "WalletTrouble",
    "Workload",
]

_HOME = {
    "Account": "account",
    "LatchAuth": "auth",
    "ClientCredentials": "program",
    "Enterprise": "program",
    "Workload": "program",
    "SdkStorage": "sdk_storage",
    "SignInRequest": "sign_in_request",
    "StepUp": "step_up",
    "Wallet": "wallet",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)

"""The wallet in the shape of the official client's token storage, for people who keep its provider.

It keeps tokens sealed between runs. What that provider does with them stays as it is: it sends a
stale token and opens a browser although it holds a refresh token, and it holds its lock over a
whole request. `Wallet.auth` does neither.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mcplatch.client.wallet import DEFAULT_ACCOUNT, Wallet
from mcplatch.moment import clock

if TYPE_CHECKING:
    from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

TOKENS, CLIENT = "tokens", "client"


class SdkStorage:
    """`mcp.client.auth.TokenStorage` for one server and account."""

    def __init__(self, wallet: Wallet, server_url: str, account: str = DEFAULT_ACCOUNT) -> None:
        self._wallet = wallet
        self._of = (server_url, account)

    async def get_tokens(self) -> OAuthToken | None:
        """The stored tokens; `expires_in` counts from now."""
        from mcp.shared.auth import OAuthToken

        stored = self._wallet.read_sealed(TOKENS, *self._of)
        if stored is None:
            return None
        document = json.loads(stored)
        expires_at = document.pop("expires_at", None)
        if expires_at is not None:
            document["expires_in"] = max(0, expires_at - clock())
        return OAuthToken.model_validate(document)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Stores them, with the time they end instead of how long they last."""
        document = tokens.model_dump(mode="json", exclude_none=True)
        if (expires_in := document.pop("expires_in", None)) is not None:
            document["expires_at"] = clock() + expires_in
        self._wallet.keep_sealed(json.dumps(document).encode(), TOKENS, *self._of)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """The stored registration."""
        from mcp.shared.auth import OAuthClientInformationFull

        stored = self._wallet.read_sealed(CLIENT, *self._of)
        return None if stored is None else OAuthClientInformationFull.model_validate_json(stored)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Stores it."""
        content = client_info.model_dump_json(exclude_none=True).encode()
        self._wallet.keep_sealed(content, CLIENT, *self._of)

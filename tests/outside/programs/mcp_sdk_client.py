"""The `mcp` 2.x client with its own OAuth provider: sign in and call tools, stepping up when told to."""

from __future__ import annotations

import asyncio
import json
import sys

import httpx2
from mcp.client._transport import Transport
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from tests.outside.form_browser import Outcome, person_from, visit
from tests.outside.toolbox import environment, unused_port


class Memory:
    """The storage the SDK asks for."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def transport_to(url: str, http: httpx2.AsyncClient, auth: httpx2.Auth) -> Transport:
    """SSE where the address says so, as the SDK's own examples choose."""
    if url.endswith("/sse"):
        return sse_client(url, auth=auth)
    return streamable_http_client(url, http_client=http)


async def main(url: str, mode: str, calls: list[str]) -> None:
    walks: list[Outcome] = []
    memory = Memory()

    async def go(authorization_url: str) -> None:
        walks.append(await asyncio.to_thread(visit, authorization_url, person_from(environment())))

    async def come_back() -> AuthorizationCodeResult:
        answer = walks[-1].answer()
        assert "code" in answer, walks[-1]
        return AuthorizationCodeResult(
            code=answer["code"], state=answer["state"], iss=answer.get("iss")
        )

    callback = f"http://127.0.0.1:{unused_port()}/callback"
    wanted = OAuthClientMetadata.model_validate(
        {"client_name": "mcp client", "redirect_uris": [callback]}
    )
    provider = OAuthClientProvider(url, wanted, memory, go, come_back)
    texts = []
    async with (
        create_mcp_http_client(auth=provider) as http,
        Client(transport_to(url, http, provider), mode=mode) as client,
    ):
        tools = sorted(tool.name for tool in (await client.list_tools()).tools)
        for name in calls:
            if name.startswith("wait:"):
                await asyncio.sleep(float(name[5:]))
                continue
            result = await client.call_tool(name, {})
            texts.append(getattr(result.content[0], "text", ""))
    assert memory.tokens is not None
    seen = {
        "tools": tools,
        "texts": texts,
        "visits": len(walks),
        "scope": memory.tokens.scope,
        "refresh": memory.tokens.refresh_token is not None,
        "iss": walks[0].answer().get("iss"),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))

"""The `fastmcp` client with `auth=OAuth(...)`, which opens `$BROWSER` and listens for its answer."""

from __future__ import annotations

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.auth import OAuth


async def main(url: str, calls: list[str]) -> None:
    oauth = OAuth(callback_timeout=30, client_name="fastmcp client")
    texts = []
    async with Client(url, auth=oauth) as client:
        tools = sorted(tool.name for tool in await client.list_tools())
        for name in calls:
            if name.startswith("wait:"):
                await asyncio.sleep(float(name[5:]))
                continue
            result = await client.call_tool(name, {})
            texts.append(getattr(result.content[0], "text", ""))
    tokens = oauth.context.current_tokens
    assert tokens is not None
    seen = {"tools": tools, "texts": texts, "scope": tokens.scope}
    print(json.dumps(seen | {"refresh": tokens.refresh_token is not None}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))

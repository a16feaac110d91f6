"""The code in the how-to page and in the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.resource_server.issuer import ORIGIN
from tests.resource_server.servers import official_server, serving
from tests.resource_server.wire import ask, call, challenge

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs/how-to/protect-a-server.md"
README = PAGE.parents[2] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(block: str, **given: Any) -> dict[str, Any]:
    exec(compile(block, str(PAGE), "exec"), given)
    return given


async def test_the_servers_of_the_readme_are_guarded() -> None:
    fast, official, bare = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    server = official_server()
    run(official, mcp=server)
    inner = official_server().streamable_http_app(host="0.0.0.0")
    guarded = run(bare, app=inner)["app"]
    for app in (run(fast)["mcp"].http_app(), server.streamable_http_app(), guarded):
        async with serving(app) as client:
            assert challenge(await call(client, "delete_note")).get("scope") == "notes:write"


def test_every_block_runs() -> None:
    assert len(BLOCKS) == 4
    for block in BLOCKS:
        assert "latch" in run(block)


async def test_the_servers_on_the_page_are_guarded() -> None:
    fast, official, bare, _ = map(run, BLOCKS)
    async with serving(fast["mcp"].http_app()) as client:
        assert challenge(await call(client, "delete_note")).get("scope") == "notes:write"
    async with serving(official["mcp"].streamable_http_app()) as client:
        assert (await call(client, "ping")).status_code == 200
        assert challenge(await call(client, "list_notes")).get("scope") == "notes:read"
    transport = httpx2.ASGITransport(app=bare["guarded"])
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        assert (await ask(client, "tools/list")).status_code == 401

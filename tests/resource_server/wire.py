"""Raw requests of both protocol eras, and what to read out of an answer."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from mcplatch.protocol.challenge import Challenge, parse_challenges

ACCEPT = "application/json, text/event-stream"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def message(
    method: str, name: str | None = None, *, era: str = MODERN, key: Any = 1
) -> dict[str, Any]:
    """A JSON-RPC request of one era."""
    params: dict[str, Any] = {"_meta": META} if era == MODERN else {}
    if name is not None:
        params |= {"uri": name} if method == "resources/read" else {"name": name}
    if method == "tools/call":
        params["arguments"] = {}
    if method == "initialize":
        params = {
            "protocolVersion": LEGACY,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
    return {"jsonrpc": "2.0", "id": key, "method": method, "params": params}


def headers(
    method: str,
    name: str | None = None,
    *,
    era: str = MODERN,
    token: str | None = None,
    **more: str,
) -> dict[str, str]:
    """The headers that go with `message`."""
    found = {"accept": ACCEPT, "content-type": "application/json"}
    if era == MODERN:
        found |= {"mcp-protocol-version": MODERN, "mcp-method": method}
        if name is not None:
            found["mcp-name"] = name
    elif method != "initialize":
        found["mcp-protocol-version"] = era
    if token is not None:
        found["authorization"] = f"Bearer {token}"
    return {**found, **{name.replace("_", "-"): value for name, value in more.items()}}


async def ask(
    client: httpx2.AsyncClient,
    method: str,
    name: str | None = None,
    *,
    era: str = MODERN,
    token: str | None = None,
    path: str = "/mcp",
    **more: str,
) -> httpx2.Response:
    """Posts one request."""
    return await client.post(
        path,
        json=message(method, name, era=era),
        headers=headers(method, name, era=era, token=token, **more),
    )


async def call(
    client: httpx2.AsyncClient, tool: str, token: str | None = None, **options: Any
) -> httpx2.Response:
    """Posts one `tools/call`."""
    return await ask(client, "tools/call", tool, token=token, **options)


def challenge(response: httpx2.Response) -> Challenge:
    """The one challenge of a response; it must be the only one, on one line, and Bearer."""
    values = response.headers.get_list("www-authenticate")
    assert len(values) == 1
    found = parse_challenges(values)
    assert len(found) == 1
    assert found[0].scheme == "Bearer"
    assert "\\" not in values[0]
    return found[0]


def result(response: httpx2.Response) -> Any:
    """The JSON-RPC message in an answer, whether it came as JSON or as an event."""
    if response.headers["content-type"].startswith("text/event-stream"):
        data = [line[5:] for line in response.text.splitlines() if line.startswith("data:")]
        return next(found for found in map(json.loads, filter(str.strip, data)) if "id" in found)
    return response.json()


def text_of(response: httpx2.Response) -> str:
    """The text of a tool's answer."""
    return str(result(response)["result"]["content"][0]["text"])

"""What a token may do once it holds: the body decides, lists follow the same rule (MCP authorization)."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import pytest

from mcplatch.policy.rules import ANY_TOKEN, DENIED, PUBLIC
from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import Clock, Issuer
from tests.resource_server.servers import TOOLS, make_app, make_latch, serving
from tests.resource_server.wire import (
    LEGACY,
    META,
    MODERN,
    ask,
    call,
    challenge,
    headers,
    message,
    result,
    text_of,
)

pytestmark = pytest.mark.anyio


def sentinel(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


@pytest.mark.requirement("RS-60", "RS-81")
@pytest.mark.parametrize("era", [MODERN, LEGACY])
@pytest.mark.parametrize(
    "changes",
    [
        {"mcp-name": "list_notes"},
        {"mcp-name": "DELETE_NOTE"},
        {"mcp-name": "delete_note,list_notes"},
        {"mcp-name": sentinel("list_notes")},
        {"mcp-name": "=?base64?!!!?="},
        {"mcp-name": sentinel("delete_note").replace("=?=", "?=")},
        {"mcp-name": "=?base64?" + base64.b64encode(b"\xff").decode() + "?="},
        {"mcp-name": ""},
        {"mcp-method": "tools/list"},
        {"mcp-method": "TOOLS/CALL"},
        {"mcp-method": sentinel("tools/call")},
        {"mcp-method": ""},
    ],
)
async def test_a_header_that_tells_another_story_than_the_body_is_refused(
    client: httpx2.AsyncClient, issuer: Issuer, era: str, changes: dict[str, str]
) -> None:
    sent = headers("tools/call", "delete_note", era=era, token=issuer.token()) | changes
    body = message("tools/call", "delete_note", era=era)
    response = await client.post("/mcp", json=body, headers=sent)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    assert response.json()["id"] == 1


@pytest.mark.requirement("RS-81")
@pytest.mark.parametrize("missing", ["mcp-name", "mcp-method"])
async def test_the_stateless_wire_needs_its_headers(
    client: httpx2.AsyncClient, issuer: Issuer, missing: str
) -> None:
    sent = headers("tools/call", "list_notes", token=issuer.token())
    del sent[missing]
    response = await client.post("/mcp", json=message("tools/call", "list_notes"), headers=sent)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)


@pytest.mark.requirement("RS-81")
@pytest.mark.parametrize("repeated", ["mcp-name", "mcp-method", "mcp-protocol-version"])
async def test_a_mirrored_header_stands_once(
    client: httpx2.AsyncClient, issuer: Issuer, repeated: str
) -> None:
    sent = headers("tools/call", "list_notes", token=issuer.token())
    lines = [*sent.items(), (repeated, sent[repeated])]
    response = await client.post("/mcp", json=message("tools/call", "list_notes"), headers=lines)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)


@pytest.mark.requirement("RS-81")
@pytest.mark.parametrize("version", [None, LEGACY, "2027-01-01"])
async def test_the_version_in_the_body_must_be_the_one_in_the_header(
    client: httpx2.AsyncClient, issuer: Issuer, version: str | None
) -> None:
    sent = headers("tools/call", "list_notes", token=issuer.token())
    if version is None:
        del sent["mcp-protocol-version"]
    else:
        sent["mcp-protocol-version"] = version
    response = await client.post("/mcp", json=message("tools/call", "list_notes"), headers=sent)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32020)


@pytest.mark.requirement("RS-81")
@pytest.mark.parametrize("way", ["mcp", "fastmcp"])
async def test_a_name_in_base64_is_the_same_name(latch: Latch, issuer: Issuer, way: str) -> None:
    tools = {**TOOLS, "schreib_süß": "notes:read"}
    from tests.resource_server.servers import fastmcp_server, list_notes, official_server

    server: Any = official_server() if way == "mcp" else fastmcp_server()
    server.add_tool(list_notes, name="schreib_süß") if way == "mcp" else server.tool(
        list_notes, name="schreib_süß"
    )
    async with serving(latch.asgi(server, tools=tools)) as client:
        sent = headers("tools/call", sentinel("schreib_süß"), token=issuer.token())
        body = message("tools/call", "schreib_süß")
        response = await client.post("/mcp", json=body, headers=sent)
        assert response.status_code == 200
        assert text_of(response) == "milk"
        plain = headers("tools/call", sentinel("list_notes"), token=issuer.token())
        body = message("tools/call", "list_notes")
        assert (await client.post("/mcp", json=body, headers=plain)).status_code == 200


@pytest.mark.requirement("RS-62")
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_a_tool_nobody_decided_about_is_closed_and_asks_for_nothing(
    anyhow: httpx2.AsyncClient, issuer: Issuer, era: str
) -> None:
    token = issuer.token("notes:read notes:delete admin")
    for name in ("hidden", "unknown", "LIST_NOTES", "xlist_notes", "whoami.x", "*"):
        response = await call(anyhow, name, token, era=era)
        assert response.status_code == 403
        assert "www-authenticate" not in response.headers
        assert response.json()["error"]["message"].startswith("Nobody may use this")


@pytest.mark.requirement("RS-61", "RS-62")
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_what_nobody_may_call_is_not_listed_and_what_can_be_asked_for_is(
    anyhow: httpx2.AsyncClient, issuer: Issuer, era: str
) -> None:
    session = await open_session(anyhow, issuer.token(), era)
    response = await ask(anyhow, "tools/list", era=era, token=issuer.token(), **session)
    assert response.status_code == 200
    answer = result(response)["result"]
    assert {tool["name"] for tool in answer["tools"]} == {"whoami", "list_notes", "delete_note"}
    if era == MODERN:
        assert answer["cacheScope"] == "private"


@pytest.mark.requirement("RS-61")
@pytest.mark.parametrize("way", ["mcp", "fastmcp auth", "fastmcp", "any app"])
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_a_list_can_show_only_what_the_token_may_call(
    issuer: Issuer, clock: Clock, way: str, era: str
) -> None:
    latch = make_latch(issuer, clock, hide="missing")
    async with serving(make_app(way, latch)) as client:
        for scope, names in {
            "notes:read": {"whoami", "list_notes"},
            "notes:read notes:delete": {"whoami", "list_notes", "delete_note"},
            "other": set[str](),
        }.items():
            token = issuer.token(scope)
            session = await open_session(client, token, era)
            response = await ask(client, "tools/list", era=era, token=token, **session)
            answer = result(response)["result"]
            assert {tool["name"] for tool in answer["tools"]} == names
            assert answer.get("cacheScope", "private") == "private"
        refused = await call(client, "delete_note", issuer.token("notes:read"))
        assert challenge(refused).get("scope") == "notes:read notes:delete"


@pytest.mark.requirement("RS-61")
async def test_a_list_can_be_left_alone(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, hide="never")
    async with serving(make_app("mcp", latch)) as client:
        answer = result(await ask(client, "tools/list", token=issuer.token()))["result"]
        assert "hidden" in {tool["name"] for tool in answer["tools"]}
        assert (await call(client, "hidden", issuer.token())).status_code == 403


async def open_session(client: httpx2.AsyncClient, token: str, era: str) -> dict[str, str]:
    if era == MODERN:
        return {}
    opened = await ask(client, "initialize", era=era, token=token)
    return {"mcp_session_id": opened.headers["mcp-session-id"]}


@pytest.mark.requirement("RS-61")
@pytest.mark.parametrize("way", ["mcp", "fastmcp auth", "fastmcp"])
async def test_a_list_on_the_older_stream_is_filtered_too(
    latch: Latch, issuer: Issuer, way: str
) -> None:
    """On the transport of 2024 the answer to a POST comes on the stream of a GET."""
    auth = {"authorization": f"Bearer {issuer.token()}"}
    async with serving(sse_app(way, latch)) as client:
        async with client.stream("GET", "/sse", headers=auth) as stream:
            lines = stream.aiter_lines()
            address = await next_data(lines)
            for method in ("initialize", "notifications/initialized", "tools/list"):
                body = message(method, era=LEGACY)
                if method.startswith("notifications/"):
                    del body["id"]
                assert (await client.post(address, json=body, headers=auth)).status_code == 202
            assert "protocolVersion" in await next_data(lines)
            tools = json.loads(await next_data(lines))["result"]["tools"]
            assert {tool["name"] for tool in tools} == {"whoami", "list_notes", "delete_note"}
            body = message("tools/call", "delete_note", era=LEGACY)
            refused = await client.post(address, json=body, headers=auth)
            assert refused.status_code == 403
            nobody = await client.post(address, json=body)
            assert nobody.status_code == 401
        assert (await client.get("/sse")).status_code == 401


def sse_app(way: str, latch: Latch) -> Any:
    from tests.resource_server.servers import fastmcp_server, official_server

    if way == "mcp":
        server = official_server()
        latch.guard(server, tools=TOOLS)
        return server.sse_app()
    if way == "fastmcp":
        return latch.asgi(fastmcp_server(), tools=TOOLS, transport="sse")
    return fastmcp_server(auth=latch.fastmcp(tools=TOOLS)).http_app(transport="sse")


async def next_data(lines: Any) -> str:
    async for line in lines:
        if line.startswith("data:"):
            return str(line[5:].strip())
    raise AssertionError("the stream ended")


PUBLIC_TOOLS = {**TOOLS, "list_notes": PUBLIC}
MIXED_WAYS = ("mcp", "fastmcp", "any app")


@pytest.mark.requirement("RS-66", "RS-4")
@pytest.mark.parametrize("way", MIXED_WAYS)
@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_public_and_protected_tools_live_at_one_address(
    latch: Latch, issuer: Issuer, way: str, era: str
) -> None:
    async with serving(make_app(way, latch, tools=PUBLIC_TOOLS)) as client:
        session = {}
        if era == LEGACY:
            opened = await ask(client, "initialize", era=era)
            assert opened.status_code == 200
            session = {"mcp_session_id": opened.headers["mcp-session-id"]}
            told = await client.post(
                "/mcp",
                json={"jsonrpc": "2.0", "method": "notifications/initialized"},
                headers=headers("notifications/initialized", era=era, **session),
            )
            assert told.status_code == 202
        response = await call(client, "list_notes", era=era, **session)
        assert (response.status_code, text_of(response)) == (200, "milk")
        listed = result(await ask(client, "tools/list", era=era, **session))["result"]["tools"]
        assert {tool["name"] for tool in listed} == {"whoami", "list_notes", "delete_note"}
        refused = await call(client, "whoami", era=era, **session)
        assert refused.status_code == 401
        assert challenge(refused).get("scope") == "notes:read"
        for method in ("resources/list", "prompts/list", "completion/complete", "tools/other"):
            assert (await ask(client, method, era=era, **session)).status_code == 401
        assert (await call(client, "list_notes", "bad", era=era, **session)).status_code == 401
        assert (await call(client, "hidden", era=era, **session)).status_code == 401


@pytest.mark.requirement("RS-66")
@pytest.mark.parametrize("way", MIXED_WAYS)
async def test_a_token_sent_to_a_public_tool_is_still_known(
    latch: Latch, issuer: Issuer, way: str
) -> None:
    async with serving(make_app(way, latch, tools={"*": PUBLIC})) as client:
        response = await call(client, "whoami", issuer.token("nothing"))
        assert json.loads(text_of(response))["sub"] == "ada"


@pytest.mark.requirement("RS-66")
async def test_fastmcp_says_where_public_tools_go(latch: Latch) -> None:
    with pytest.raises(ValueError, match=r"latch\.guard"):
        latch.fastmcp(tools={"list_notes": PUBLIC})


@pytest.mark.requirement("RS-62", "RS-66")
@pytest.mark.parametrize(
    ("rules", "default", "token", "status"),
    [
        (None, None, "other", 200),
        ({}, None, "other", 403),
        ({}, ANY_TOKEN, "other", 200),
        (None, DENIED, "other", 403),
        ({}, "notes:read", "other", 403),
        ({}, "notes:read", "notes:read", 200),
        ({"hidden": ANY_TOKEN}, None, "other", 200),
        ({"hidden": DENIED, "*": ANY_TOKEN}, None, "other", 403),
        ({"*": DENIED, "hid*": ANY_TOKEN}, None, "other", 200),
        ({"*den": ANY_TOKEN, "hidden": "admin"}, None, "other", 403),
        ({"hidden": ("a", "b")}, None, "a", 403),
        ({"hidden": ("a", "b")}, None, "b a", 200),
    ],
)
async def test_the_table_and_its_default(
    latch: Latch, issuer: Issuer, rules: Any, default: Any, token: str, status: int
) -> None:
    from tests.resource_server.servers import official_server

    app = latch.asgi(official_server(), tools=rules, default=default)
    async with serving(app) as client:
        assert (await call(client, "hidden", issuer.token(token))).status_code == status


@pytest.mark.requirement("RS-60")
async def test_a_baseline_is_needed_for_everything(issuer: Issuer, clock: Clock) -> None:
    latch = make_latch(issuer, clock, baseline="mcp")
    async with serving(make_app("mcp", latch)) as client:
        bare = await ask(client, "tools/list")
        assert challenge(bare).get("scope") == "mcp"
        refused = await ask(client, "tools/list", token=issuer.token("notes:read"))
        assert (refused.status_code, challenge(refused).get("scope")) == (403, "mcp")
        refused = await call(client, "list_notes", issuer.token("mcp"))
        assert challenge(refused).get("scope") == "mcp notes:read"
        for verb in ("GET", "DELETE"):
            found = await client.request(
                verb, "/mcp", headers={"authorization": f"Bearer {issuer.token('notes:read')}"}
            )
            assert found.status_code == 403
        assert (await call(client, "list_notes", issuer.token("mcp notes:read"))).status_code == 200


@pytest.mark.requirement("RS-60")
async def test_prompts_and_resources_have_rules_of_their_own(issuer: Issuer, clock: Clock) -> None:
    from tests.resource_server.servers import official_server

    server = official_server()
    server.resource("notes://secret", name="secret")(lambda: "s")
    server.resource("notes://open", name="open")(lambda: "o")
    server.prompt("ask")(lambda: "p")
    latch = make_latch(
        issuer, clock, resources={"notes://secret*": "admin"}, prompts={"ask": "admin"}
    )
    async with serving(latch.asgi(server)) as client:
        token, admin = issuer.token("x"), issuer.token("admin")
        for method, name in (("resources/read", "notes://secret"), ("prompts/get", "ask")):
            refused = await ask(client, method, name, token=token)
            assert (refused.status_code, challenge(refused).get("scope")) == (403, "admin")
            assert (await ask(client, method, name, token=admin)).status_code == 200
        assert (await ask(client, "resources/read", "notes://open", token=token)).status_code == 200


@pytest.mark.requirement("RS-83")
async def test_whoever_is_not_signed_in_learns_nothing_else(anyhow: httpx2.AsyncClient) -> None:
    """Token before size, JSON, headers, version and method."""
    for body in (b"not json", b"[]", b"x" * 5_000_000, b""):
        sent = {"content-type": "application/json", "mcp-protocol-version": "1999-01-01"}
        response = await anyhow.post("/mcp", content=body, headers=sent)
        assert response.status_code == 401
        assert challenge(response).get("scope") == "notes:read"
    mismatched = headers("tools/call", "list_notes") | {"mcp-name": "other"}
    body = json.dumps(message("tools/call", "delete_note")).encode()
    assert (await anyhow.post("/mcp", content=body, headers=mismatched)).status_code == 401


@pytest.mark.requirement("RS-83", "RS-82")
async def test_the_version_is_the_applications_matter_once_the_token_holds(
    client: httpx2.AsyncClient, issuer: Issuer
) -> None:
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    sent = headers("tools/list", token=issuer.token()) | {"mcp-protocol-version": "2031-01-01"}
    response = await client.post("/mcp", json=body, headers=sent)
    assert (response.status_code, response.json()["error"]["code"]) == (400, -32022)
    unknown = await ask(client, "no/such", token=issuer.token())
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, -32601)


@pytest.mark.requirement("RS-81", "RS-85")
async def test_the_message_address_of_sse_mirrors_nothing(latch: Latch, issuer: Issuer) -> None:
    """The official client tries the new era over SSE too: in the body, without a header."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    body = json.dumps(message("server/discover", era=MODERN))
    bare = {"content-type": "application/json", "authorization": f"Bearer {issuer.token()}"}
    transport = httpx2.ASGITransport(app=latch.asgi(app, tools=TOOLS))
    async with httpx2.AsyncClient(transport=transport, base_url="https://notes.example") as http:
        beside = await http.post("/messages/?session_id=1", content=body, headers=bare)
        mirrored = await http.post("/mcp", content=body, headers=bare)
    assert (beside.status_code, mirrored.status_code) == (202, 400)
    assert seen == ["/messages/"]

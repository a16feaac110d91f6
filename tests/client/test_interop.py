"""Our client against the two SDKs' own authorization servers, over real sockets, both transports, both
protocol eras; and their clients with our authentication."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import httpx2
import pytest
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.shared.exceptions import MCPError

from mcplatch.client.auth import LatchAuth
from mcplatch.client.errors import SignInNeeded, Unreachable
from mcplatch.client.mcp_session import open_session
from mcplatch.client.program import ClientCredentials
from mcplatch.client.sdk_storage import SdkStorage
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Visit
from mcplatch.client.wallet import Wallet
from tests.client.servers import MemoryProvider, free_socket, sdk_app, serving
from tests.client.town import now

pytestmark = pytest.mark.anyio


class Follower:
    """A person whose browser is one GET."""

    def __init__(self) -> None:
        self.visits = 0

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Always there."""

    async def listen(self, preferred: str | None) -> str:
        return preferred or "http://127.0.0.1:45678/callback"

    async def visit(self, visit: Visit) -> str:
        self.visits += 1
        async with httpx2.AsyncClient() as browser:
            answer = await browser.get(visit.url)
        location: str = answer.headers["location"]
        return location

    async def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet(tmp_path, find_keyring=lambda: None, say=lambda line: None)


@contextmanager
def sdk(transport: str = "streamable-http", **how: Any) -> Iterator[tuple[str, MemoryProvider]]:
    provider = MemoryProvider(**how)
    listening, base_url = free_socket()
    with serving(sdk_app(provider, base_url, transport=transport), listening):
        yield base_url + ("/sse" if transport == "sse" else "/mcp"), provider


def auth_for(url: str, wallet: Wallet, **how: Any) -> LatchAuth:
    return LatchAuth(SignInRequest(url), wallet, **{"person": Follower(), **how})


@pytest.mark.requirement("CL-63", "CL-64", "CL-65")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
async def test_sign_in_call_refresh_and_sign_out_at_the_official_sdk(
    wallet: Wallet, transport: str, mode: str
) -> None:
    with sdk(transport) as (url, provider):
        async with open_session(url, auth_for(url, wallet), mode=mode) as client:
            assert (await client.list_tools()).tools[0].name == "get_time"
            result = await client.call_tool("get_time", {})
            assert result.content[0].text == "12:00"  # type: ignore[union-attr]
        held = wallet.find(url)
        assert held is not None
        wallet.keep(replace(held, expires_at=now() - 1))
        provider.access.clear()
        auth = auth_for(url, wallet, interactive=False)
        async with open_session(url, auth, mode=mode) as client:
            await client.call_tool("get_time", {})
        assert await auth.account.log_out() == ("refresh_token", "access_token")
        assert provider.refreshes == {}
    counts = {"register": 1, "authorize": 1, "exchange": 1, "refresh": 1, "revoke": 2}
    assert provider.counts == counts


@pytest.mark.requirement("CL-25")
async def test_a_server_that_was_restarted_empty_is_signed_in_to_again(wallet: Wallet) -> None:
    with sdk() as (url, provider):
        async with open_session(url, auth_for(url, wallet)):
            pass
        for table in (provider.clients, provider.access, provider.refreshes):
            table.clear()
        async with open_session(url, auth_for(url, wallet)) as client:
            await client.call_tool("get_time", {})
    assert provider.counts["register"] == 2


async def test_the_official_client_takes_our_auth(wallet: Wallet) -> None:
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    with sdk() as (url, _):
        async with (
            create_mcp_http_client(auth=auth_for(url, wallet)) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            assert (await client.call_tool("get_time", {})).is_error is False


@contextmanager
def fastmcp() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastmcp import FastMCP
        from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider

        listening, base_url = free_socket()
        provider = InMemoryOAuthProvider(
            base_url=base_url,
            client_registration_options=ClientRegistrationOptions(
                enabled=True, valid_scopes=["user"]
            ),
            revocation_options=RevocationOptions(enabled=True),
            required_scopes=["user"],
        )
        server = FastMCP("fast", auth=provider)

        @server.tool
        def get_time() -> str:
            return "12:00"

        app = server.http_app(path="/mcp")
    with serving(app, listening):
        yield f"{base_url}/mcp"


async def test_fastmcps_server_and_fastmcps_client(wallet: Wallet) -> None:
    import fastmcp as package

    person = Follower()
    with fastmcp() as url:
        async with open_session(url, auth_for(url, wallet, person=person)) as client:
            result = await client.call_tool("get_time", {})
            assert result.content[0].text == "12:00"  # type: ignore[union-attr]
        async with package.Client(url, auth=auth_for(url, wallet, person=person)) as other:
            assert (await other.call_tool("get_time", {})).data == "12:00"
    assert person.visits == 1


async def test_errors_come_out_as_themselves(wallet: Wallet) -> None:
    with sdk() as (url, _), pytest.raises(SignInNeeded):
        async with open_session(url, auth_for(url, wallet, interactive=False)):
            pytest.fail("not signed in")
    with pytest.raises(Unreachable):
        async with open_session(url, auth_for(url, wallet, interactive=False)):
            pytest.fail("nobody listens there")


@pytest.mark.requirement("CL-64")
async def test_what_takes_more_access_is_told_over_sse_at_once(wallet: Wallet) -> None:
    """The official transport would leave the caller waiting for an answer that never comes."""
    with sdk("sse") as (url, _):
        await auth_for(url, wallet).account.log_in(("user",))

        async def act() -> None:
            async with open_session(url, auth_for(url, wallet, interactive=False)) as client:
                assert (await client.call_tool("get_time", {})).is_error is False
                await client.call_tool("admin-action", {})

        with anyio.fail_after(10), pytest.raises(SignInNeeded) as caught:
            await act()
    assert caught.value.missing == ("admin",)


@pytest.mark.requirement("CL-64")
async def test_a_refusal_over_sse_ends_the_call_and_not_the_session(wallet: Wallet) -> None:
    with sdk("sse") as (url, _):
        await auth_for(url, wallet).account.log_in(("user",))
        auth = auth_for(url, wallet, interactive=False, raises=False)
        with anyio.fail_after(10):
            async with open_session(url, auth) as client:
                with pytest.raises(MCPError, match="the server answered 403"):
                    await client.call_tool("admin-action", {})
                assert (await client.call_tool("get_time", {})).is_error is False


@pytest.mark.requirement("CL-64")
async def test_a_server_that_only_has_sse_is_found_under_another_name(wallet: Wallet) -> None:
    """`auto` tries streamable HTTP first and takes the failure for what it is."""
    from mcp.server import MCPServer

    server = MCPServer("old")

    @server.tool()
    def get_time() -> str:
        return "12:00"

    listening, base_url = free_socket()
    with serving(server.sse_app(sse_path="/mcp"), listening):
        async with open_session(f"{base_url}/mcp", None) as client:
            assert (await client.list_tools()).tools[0].name == "get_time"


@pytest.mark.requirement("CL-63")
async def test_a_program_declares_how_it_signs_in(wallet: Wallet) -> None:
    declared: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        declared.append((await receive()).get("body", b""))
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listening, base_url = free_socket()
    program = ClientCredentials("bot", "s3cret")
    with serving(app, listening):
        auth = auth_for(f"{base_url}/mcp", wallet, program=program)
        with pytest.raises(MCPError):
            async with open_session(f"{base_url}/mcp", auth, transport="streamable-http"):
                pytest.fail("there is no MCP server")
    for body in declared[:2]:
        assert str(program.extension).encode() in body


async def test_the_official_provider_keeps_its_tokens_in_our_wallet(wallet: Wallet) -> None:
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

    person, back = Follower(), []

    async def go(url: str) -> None:
        back.append(await person.visit(Visit(url, "", "", "", ())))

    async def come_back() -> AuthorizationCodeResult:
        query = dict(parse_qsl(urlsplit(back.pop()).query))
        return AuthorizationCodeResult(code=query["code"], state=query["state"])

    with sdk() as (url, _):
        for _run in range(2):
            provider = OAuthClientProvider(
                url,
                OAuthClientMetadata.model_validate(
                    {"redirect_uris": ["http://127.0.0.1:45678/callback"], "client_name": "x"}
                ),
                SdkStorage(wallet, url),
                go,
                come_back,
            )
            async with httpx2.AsyncClient(auth=provider) as http:
                answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
                assert answer.status_code != 401
        assert person.visits == 1
        held = await SdkStorage(wallet, url).get_tokens()
        assert held is not None
        assert 3500 < (held.expires_in or 0) <= 3600
        assert await SdkStorage(wallet, url, "work").get_tokens() is None
        assert await SdkStorage(wallet, url, "work").get_client_info() is None
    everything = b"".join(path.read_bytes() for path in wallet.directory.iterdir())
    assert held.access_token.encode() not in everything


async def test_a_slow_person_is_not_taken_for_a_slow_server(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official client asks which era the server speaks and waits only so long for that."""
    monkeypatch.setattr("mcp.client.session.DISCOVER_TIMEOUT_SECONDS", 0.5)

    class Slow(Follower):
        async def visit(self, visit: Visit) -> str:
            await anyio.sleep(1)
            return await super().visit(visit)

    person = Slow()
    with sdk() as (url, _):
        async with open_session(url, auth_for(url, wallet, person=person)) as client:
            assert client.session.protocol_version == "2026-07-28"
    assert person.visits == 1

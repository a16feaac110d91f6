"""The client as the official conformance suite starts it: `python -m mcplatch.client.conformance
URL`.

The suite's authorization page redirects at once, so this program fetches it instead of opening a
browser. Everything else is the client as it ships.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

from mcplatch.client.auth import LatchAuth
from mcplatch.client.errors import LatchError, ServerFault
from mcplatch.client.mcp_session import open_session
from mcplatch.client.program import ClientCredentials, Enterprise, Program, Workload
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.talk import Visit
from mcplatch.client.wallet import Wallet
from mcplatch.environment import variable

# The document the suite knows; it never fetches it.
METADATA_URL = "https://conformance-test.local/client-metadata.json"
REDIRECT_URI = "http://127.0.0.1:33418/callback"
MODERN = "2026-07-28"


class RedirectReader:
    """A person whose browser is one GET: it says where it was sent back to."""

    def ready(self, server_url: str, scope: tuple[str, ...]) -> None:
        """Always there."""

    async def listen(self, preferred: str | None) -> str:
        """Nobody listens: the redirect is read, not followed."""
        return REDIRECT_URI

    async def visit(self, visit: Visit) -> str:
        """Where the page redirects to."""
        async with httpx2.AsyncClient(follow_redirects=False) as client:
            answer = await client.get(visit.url)
        if "location" not in answer.headers:
            raise ServerFault(f"{answer.status_code}, no redirect.", next_step="Look at the suite.")
        return str(answer.headers["location"])

    async def close(self) -> None:
        """Nothing to stop."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the suite says about the run: its name, the wire, and what it gives the client."""

    name: str
    version: str
    given: dict[str, Any]


def read_scenario() -> Scenario:
    """Reads the suite's environment variables."""
    return Scenario(
        (variable("MCP_CONFORMANCE_SCENARIO") or "").rpartition("/")[2],
        variable("MCP_CONFORMANCE_PROTOCOL_VERSION") or "",
        json.loads(variable("MCP_CONFORMANCE_CONTEXT") or "{}"),
    )


def auth_for(server_url: str, scenario: Scenario, wallet: Wallet) -> LatchAuth:
    """The client's own authentication, with the credentials the suite gives."""
    given = scenario.given
    program: Program | None = None
    request = SignInRequest(server_url, client_metadata_url=METADATA_URL)
    if scenario.name.startswith("client-credentials"):
        program = ClientCredentials(
            given["client_id"], given.get("client_secret"), given.get("private_key_pem")
        )
    elif "idp_id_token" in given:
        program = Enterprise(
            token_endpoint=given["idp_token_endpoint"],
            identity_client_id=given["idp_client_id"],
            id_token=given["idp_id_token"],
            client_id=given["client_id"],
            client_secret=given["client_secret"],
        )
    elif "valid_jwt" in given:
        program = Workload(given["valid_jwt"], given["client_id"])
    elif "client_id" in given:
        request = SignInRequest(
            server_url,
            client_id=given["client_id"],
            client_secret=given.get("client_secret"),
            client_issuer=given.get("issuer"),
        )
    return LatchAuth(request, wallet, person=RedirectReader(), program=program)


async def walk(server_url: str, scenario: Scenario, wallet: Wallet) -> None:
    """Connects, lists the tools, calls the first one."""
    auth = auth_for(server_url, scenario, wallet)
    mode = MODERN if scenario.version == MODERN else "legacy"
    async with open_session(server_url, auth, mode=mode) as client:
        tools = (await client.list_tools()).tools
        for tool in tools[:1]:
            await client.call_tool(tool.name, {})


def main() -> None:
    """Runs the scenario the suite asks for; exit code 1 and the reason when the client refuses."""
    with tempfile.TemporaryDirectory() as directory:
        wallet = Wallet(Path(directory), find_keyring=lambda: None, say=lambda line: None)
        try:
            anyio.run(walk, sys.argv[-1], read_scenario(), wallet)
        except LatchError as refused:
            print(f"{type(refused).__name__}: {refused}", file=sys.stderr)
            sys.exit(1)


if __name__ == "__main__":
    main()

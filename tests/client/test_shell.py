"""The shell, with lines for a keyboard: both transports, and a server that comes and goes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from mcplatch.client.account import Account
from mcplatch.client.drive import Nobody
from mcplatch.client.errors import SignInNeeded, Unreachable
from mcplatch.client.shell import PROMPT, Shell
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.wallet import Wallet
from tests.client.servers import MemoryProvider, free_socket, sdk_app, serving
from tests.client.test_interop import Follower

Line = str | Callable[[], None]


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet(tmp_path, find_keyring=lambda: None, say=lambda line: None)


def typed(account: Account, *lines: Line) -> list[str]:
    """What the shell says while `lines` are typed; a callable happens instead of a line."""
    left, said = list(lines), []

    def read(prompt: str) -> str:
        said.append(prompt)
        while left:
            line = left.pop(0)
            if isinstance(line, str):
                return line
            line()
        raise EOFError

    Shell(account, read, said.append).run()
    return [line for line in said if line != PROMPT]


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_it_signs_in_when_it_has_to(wallet: Wallet, transport: str) -> None:
    listening, base_url = free_socket()
    path = "/sse" if transport == "sse" else "/mcp"
    with serving(sdk_app(MemoryProvider(), base_url, transport=transport), listening):
        person = Follower()
        account = Account(SignInRequest(base_url + path), wallet, person=person)
        said = typed(account, "call get_time", "logout", "whoami", "login", "call get_time")
    assert said[1:-1] == [
        "12:00",
        "Signed out. The server took your access back.",
        "You are not signed in.",
        "Signed in.",
        "12:00",
    ]
    assert person.visits == 2


def test_without_a_person_it_does_not_begin(wallet: Wallet) -> None:
    listening, base_url = free_socket()
    with serving(sdk_app(MemoryProvider(), base_url), listening):
        account = Account(SignInRequest(f"{base_url}/mcp"), wallet, person=Nobody())
        with pytest.raises(SignInNeeded):
            typed(account, "list")
    with pytest.raises(Unreachable):
        typed(account, "list")


def test_a_server_that_goes_and_comes_back(wallet: Wallet) -> None:
    provider = MemoryProvider()
    listening, base_url = free_socket()
    port = listening.getsockname()[1]
    running = ExitStack()
    running.enter_context(serving(sdk_app(provider, base_url), listening))

    def start_again() -> None:
        again = socket.create_server(("127.0.0.1", port))
        running.enter_context(serving(sdk_app(provider, base_url), again))

    account = Account(SignInRequest(f"{base_url}/mcp"), wallet, person=Follower())
    try:
        said = typed(
            account, "call get_time", running.close, "call get_time", start_again, "call get_time"
        )
    finally:
        running.close()
    assert said[1] == "12:00"
    assert said[2].startswith(f"{base_url}/mcp cannot be reached")
    assert said[3].startswith("  next: ")
    assert said[4] == "12:00"


def test_a_sign_in_that_was_taken_back_is_a_question(wallet: Wallet) -> None:
    provider = MemoryProvider()
    listening, base_url = free_socket()

    def take_back() -> None:
        provider.access.clear()
        provider.refreshes.clear()

    with serving(sdk_app(provider, base_url), listening):
        account = Account(SignInRequest(f"{base_url}/mcp"), wallet, person=Follower())
        said = typed(
            account, take_back, "call get_time", "n", take_back, "call get_time", "", "scopes"
        )
    assert said[1:3] == [f"{base_url}/mcp wants a person to sign in.", "Sign in now? [Y/n] "]
    assert said[3:6] == [
        f"{base_url}/mcp wants a person to sign in.",
        "Sign in now? [Y/n] ",
        "12:00",
    ]
    assert said[6] == "user"


@pytest.mark.parametrize("transport", ["streamable-http", "sse"])
def test_more_access_is_a_question_and_declining_it_ends_nothing(
    wallet: Wallet, transport: str
) -> None:
    listening, base_url = free_socket()
    path = "/sse" if transport == "sse" else "/mcp"
    with serving(sdk_app(MemoryProvider(), base_url, transport=transport), listening):
        account = Account(SignInRequest(base_url + path), wallet, person=Follower())
        said = typed(
            account, "call admin-action", "n", "call get_time", "call admin-action", "y", "scopes"
        )
    asked = ["This needs 1 more permission: admin", "Open the browser and ask for it? [Y/n] "]
    assert said[1:6] == [*asked, "12:00", *asked]
    assert said[6].startswith("done: nothing")
    assert set(said[7:9]) == {"user", "admin"}

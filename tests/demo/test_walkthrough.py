"""The story of the demonstration, whole: every step on a real answer of real servers."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from mcplatch.demo.account import Account
from mcplatch.demo.browser import Browser
from mcplatch.demo.play import play_itself
from mcplatch.demo.story import REQUIRED

pytestmark = pytest.mark.anyio
ADA = Account("ada", "correct horse battery staple", made_up=False)


async def test_the_story_happens_from_the_first_refusal_to_access_taken_back() -> None:
    told = io.StringIO()
    console = Console(file=told, width=100, force_terminal=False)
    assert await play_itself(console, ADA, ports=(0, 0)) == []
    text = told.getvalue()
    assert "all 19 steps happened" in text
    assert sum(map(len, REQUIRED.values())) == 19
    order = [
        "POST /mcp without a token: 401",
        "RFC 9728",
        "RFC 8414",
        "RFC 7591",
        "a wrong password is refused on the page",
        "the right password signs you in",
        "RFC 9207",
        "the code becomes a token",
        "RFC 7662",
        "get_time runs",
        "admin-action is refused: 403",
        "you tick “admin” and allow it",
        "admin-action runs",
        "you disconnect the client",
        "401 invalid_token",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


async def test_a_password_that_somebody_chose_is_not_shown() -> None:
    told = io.StringIO()
    assert await play_itself(Console(file=told, width=100), ADA, ports=(0, 0)) == []
    assert ADA.password not in told.getvalue()


@pytest.mark.slow
def test_the_command_plays_itself_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = _demo("--auto", tmp=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 19 steps happened" in done.stdout
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_and_replaced(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", 9000))
            held.listen()
        except OSError:
            pass  # somebody else has it, which is the same
        done = _demo("--auto", tmp=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "port 9000 is in use here" in done.stdout


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_breakdown(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "mcplatch", "demo", "--auto"],
        env=_environment(tmp_path) | {"PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert "mcplatch demo" in running.stdout.readline()
    running.stdout.close()
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait(timeout=30) == 0, said
    assert "Traceback" not in said


@pytest.mark.slow
def test_without_terminal_and_browser_it_says_what_to_do_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    done = _demo(tmp=tmp_path)
    assert done.returncode == 3
    assert "mcplatch demo --auto" in done.stderr
    assert time.monotonic() - began < 2


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(tmp_path: Path, asked: signal.Signals) -> None:
    browser = {"BROWSER": "true"}
    running = subprocess.Popen(
        [sys.executable, "-m", "mcplatch", "demo"],
        env=_environment(tmp_path) | browser,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "RFC 7591" in line:
            break
    assert list(tmp_path.iterdir()) != []
    running.send_signal(asked)
    rest = running.communicate(timeout=10)[0]
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []


def _environment(tmp: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"TMPDIR": str(tmp), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def _demo(*arguments: str, tmp: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mcplatch", "demo", *arguments],
        env=_environment(tmp),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_a_person_at_a_browser_is_led_through_it(tmp_path: Path) -> None:
    outside = Path(__file__).resolve().parents[1] / "outside" / "form_browser.py"
    person = {
        "MCP_DEMO_USERNAME": ADA.username,
        "MCP_DEMO_PASSWORD": ADA.password,
        "FORM_BROWSER_USERNAME": ADA.username,
        "FORM_BROWSER_PASSWORD": ADA.password,
        "FORM_BROWSER_TICK": "all",
        "FORM_BROWSER_LOG": str(tmp_path / "browser.log"),
        "BROWSER": shlex.join([sys.executable, str(outside)]),
        "PYTHONPATH": str(outside.parents[2]),
    }
    kept = tmp_path / "kept"
    kept.mkdir()
    running = subprocess.Popen(
        [sys.executable, "-m", "mcplatch", "demo"],
        env=_environment(kept) | person,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    told = ""
    try:
        for line in running.stdout:
            told += line
            if "Press Disconnect on" in line:
                asyncio.run(_disconnect(line.split()[-1]))
            if "Ctrl-C ends them" in line:
                break
        running.send_signal(signal.SIGINT)
        told += running.communicate(timeout=10)[0]
    finally:
        running.kill()
    assert running.returncode == 0, told
    assert "admin-action runs" in told
    assert "401 invalid_token" in told
    assert "mcplatch shell http://localhost:" in told
    assert list(kept.iterdir()) == []


async def _disconnect(account_page: str) -> None:
    async with Browser() as browser:
        screen = await browser.open(account_page)
        form = screen.form(lambda form: form.asks_password, "sign-in")
        typed = {"username": ADA.username, "password": ADA.password}
        screen = await browser.send(screen, form, "sign in", typed)
        while True:
            buttons = [form for form in screen.page.forms if form.button("^disconnect")]
            if not buttons:
                return
            screen = await browser.send(screen, buttons[0], "^disconnect")

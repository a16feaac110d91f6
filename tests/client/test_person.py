"""Turning to the person: who is asked, what they see first, and that nobody waits in vain."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import anyio
import pytest

from mcplatch.client import browser
from mcplatch.client.errors import SignInNeeded
from mcplatch.client.person import LoopbackPerson
from mcplatch.client.talk import Visit
from tests.client.table import ISSUER, SERVER

pytestmark = pytest.mark.anyio


def fake_browser(directory: Path, body: str) -> str:
    """A program for $BROWSER that runs `body` with `url` set."""
    script = directory / "browser.py"
    script.write_text(f"import sys, urllib.request\nurl = sys.argv[1]\n{body}\n")
    return shlex.join([sys.executable, str(script)])


def visit_to(redirect_uri: str, **answer: str) -> Visit:
    url = f"{redirect_uri}?{urlencode({'state': 'st4te', **answer})}"
    return Visit(url, "st4te", SERVER, ISSUER, ("notes:read",), "")


async def test_the_browser_brings_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", fake_browser(tmp_path, "urllib.request.urlopen(url).read()"))
    said: list[str] = []
    person = LoopbackPerson(seconds=20, say=said.append)
    person.ready(SERVER, ())
    redirect_uri = await person.listen(None)
    back = await person.visit(visit_to(redirect_uri, code="c"))
    assert back == f"{redirect_uri}?state=st4te&code=c"
    again = await person.listen(None)
    assert again != redirect_uri
    assert await person.visit(visit_to(again, code="d")) == f"{again}?state=st4te&code=d"
    await person.close()


@pytest.mark.requirement("CL-39")
async def test_the_person_sees_where_this_goes_before_the_browser_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tmp_path / "opened"
    monkeypatch.setenv("BROWSER", fake_browser(tmp_path, f"open({str(opened)!r}, 'w').close()"))
    said: list[tuple[str, bool]] = []
    person = LoopbackPerson(seconds=0.5, say=lambda line: said.append((line, opened.exists())))
    redirect_uri = await person.listen(None)
    visit = Visit(redirect_uri, "st4te", SERVER, f"{ISSUER}\x1b[2J", ("a", "b"), "it was x")
    with pytest.raises(SignInNeeded):
        await person.visit(visit)
    assert said[:3] == [
        (f"Server   {SERVER}", False),
        (f"Sign-in  {ISSUER} (it was x)", False),
        ("Asking   a, b", False),
    ]
    await person.close()


@pytest.mark.requirement("CL-36")
async def test_who_does_not_come_back_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", fake_browser(tmp_path, "pass"))
    person = LoopbackPerson(seconds=0.3, say=lambda line: None)
    redirect_uri = await person.listen(None)
    with pytest.raises(SignInNeeded) as caught:
        await person.visit(visit_to(redirect_uri, code="c"))
    assert f"mcplatch login {SERVER} --no-browser" in caught.value.next_step
    await person.close()


async def test_without_terminal_and_browser_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    before = time.monotonic()
    with pytest.raises(SignInNeeded) as caught:
        LoopbackPerson().ready(SERVER, ("a", "b"))
    assert time.monotonic() - before < 0.5
    assert f"mcplatch login {SERVER} --scope 'a b'" in caught.value.next_step


async def test_the_port_of_an_earlier_registration_is_taken_again_if_it_is_free() -> None:
    first = LoopbackPerson()
    redirect_uri = await first.listen(None)
    second = LoopbackPerson()
    assert await second.listen(redirect_uri) != redirect_uri
    await second.close()
    await first.close()
    third = LoopbackPerson()
    assert await third.listen(redirect_uri) == redirect_uri
    assert await third.listen(None) == redirect_uri
    await third.close()
    other = LoopbackPerson(path="/other")
    assert await other.listen(redirect_uri) != redirect_uri
    await other.close()


# -- the browser --------------------------------------------------------------------------------------


@pytest.mark.requirement("CL-9")
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "--gpu-launcher=calc",
        "ms-msdt:/id",
        "https://a.example/ --x",
        "https://a.example/\n--x",
        "https://ä.example/",
        "",
    ],
)
async def test_what_is_no_web_address_is_not_opened(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    monkeypatch.setenv("BROWSER", f"touch {ran}")
    assert not await browser.open_page(url)
    assert not ran.exists()


@pytest.mark.requirement("CL-9")
async def test_the_address_is_one_argument_and_no_shell_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, url = tmp_path / "seen", "https://a.example/?q=$(touch${IFS}pwned);`id`&x='\"|y"
    script = tmp_path / "browser.py"
    script.write_text("import sys\nopen(sys.argv[1], 'w').write('\\n'.join(sys.argv[2:]))\n")
    program = shlex.join([sys.executable, str(script), str(seen)])
    for command in (f"{program} %s", program):
        monkeypatch.setenv("BROWSER", command)
        seen.unlink(missing_ok=True)
        assert await browser.open_page(url)
        with anyio.fail_after(10):
            while not seen.exists() or not seen.read_text():
                await anyio.sleep(0.02)
        assert seen.read_text() == url
    assert not (tmp_path / "pwned").exists()


async def test_browsers_are_tried_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "none")
    monkeypatch.setenv("BROWSER", os.pathsep.join([missing, "'unclosed", "", "true"]))
    assert await browser.open_page("https://a.example/")
    monkeypatch.setenv("BROWSER", missing)
    assert not await browser.open_page("https://a.example/")
    assert browser.can_open()

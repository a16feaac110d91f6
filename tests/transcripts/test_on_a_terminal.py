"""The client on a real terminal: pasting an answer, Ctrl-C, Ctrl-D."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.client.servers import MemoryProvider, free_socket, sdk_app, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal"),
]


def _take_the_terminal() -> None:
    """The first terminal that a new session opens is the one Ctrl-C comes from."""
    os.close(os.open(os.ttyname(0), os.O_RDWR))


class Terminal:
    """A program on a pseudo-terminal."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        self.screen, self._fd = "", ours
        self.program = subprocess.Popen(
            [sys.executable, "-m", "mcplatch", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=_take_the_terminal,
        )
        os.close(theirs)

    def wait_for(self, pattern: str, seconds: float = 20) -> str:
        """The first group of `pattern`, once it is on the screen; what came before is cleared."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = re.search(pattern, self.screen)
            if found:
                self.screen = self.screen[found.end() :]
                return found[found.re.groups and 1]
            if select.select([self._fd], [], [], 0.1)[0]:
                try:
                    self.screen += os.read(self._fd, 65536).decode(errors="replace")
                except OSError:
                    break
        raise AssertionError(f"{pattern!r} never came; the screen says: {self.screen!r}")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def end(self) -> int:
        try:
            return self.program.wait(15)
        finally:
            self.program.kill()
            self.program.wait()
            os.close(self._fd)


@contextmanager
def signed_out(tmp_path: Path) -> Iterator[tuple[str, dict[str, str], MemoryProvider]]:
    provider = MemoryProvider()
    listening, base_url = free_socket()
    environment = {**os.environ, "MCPLATCH_HOME": str(tmp_path), "TERM": "dumb"}
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "MCPLATCH_STORE_KEY"):
        environment.pop(name, None)
    with serving(sdk_app(provider, base_url), listening):
        yield f"{base_url}/mcp", environment, provider


def follow(url: str) -> str:
    """Where a browser on another machine would end up."""
    return str(httpx2.get(url, follow_redirects=False).headers["location"])


@pytest.mark.requirement("CL-38")
@pytest.mark.parametrize("options", [[], ["--no-browser"]])
def test_an_answer_from_another_machine_is_pasted(tmp_path: Path, options: list[str]) -> None:
    with signed_out(tmp_path) as (url, environment, provider):
        terminal = Terminal(["login", url, *options], environment)
        back = follow(terminal.wait_for(r"(http://\S+/authorize\?\S+)\s"))
        terminal.wait_for("paste")
        terminal.type("nonsense\n")
        terminal.wait_for("That is not it")
        terminal.type(back + "\n")
        terminal.wait_for("Signed in")
        assert terminal.end() == 0
    assert provider.counts["exchange"] == 1


@pytest.mark.requirement("CL-31", "CL-38")
def test_a_pasted_answer_to_another_question_is_refused(tmp_path: Path) -> None:
    with signed_out(tmp_path) as (url, environment, provider):
        terminal = Terminal(["login", url, "--no-browser"], environment)
        back = follow(terminal.wait_for(r"(http://\S+/authorize\?\S+)\s"))
        terminal.wait_for("paste")
        terminal.type(re.sub(r"state=[^&]+", "state=other", back) + "\n")
        terminal.wait_for("answers another request")
        assert terminal.end() == 4
    assert provider.counts["exchange"] == 0


def test_the_same_browser_may_bring_it_too(tmp_path: Path) -> None:
    with signed_out(tmp_path) as (url, environment, _):
        terminal = Terminal(["login", url, "--no-browser"], environment)
        back = follow(terminal.wait_for(r"(http://\S+/authorize\?\S+)\s"))
        assert "You can close this window" in httpx2.get(back).text
        terminal.wait_for("Signed in")
        assert terminal.end() == 0


def test_waiting_has_an_end(tmp_path: Path) -> None:
    with signed_out(tmp_path) as (url, environment, _):
        terminal = Terminal(["login", url, "--timeout", "1"], environment)
        terminal.wait_for("Nobody came back")
        assert terminal.end() == 3


def test_a_shell_on_a_terminal(tmp_path: Path) -> None:
    with signed_out(tmp_path) as (url, environment, _):
        terminal = Terminal(["shell", url], environment)
        back = follow(terminal.wait_for(r"(http://\S+/authorize\?\S+)\s"))
        terminal.wait_for("paste")
        terminal.type(back + "\n")
        terminal.wait_for("mcp> ")
        terminal.type("call get_time\n")
        terminal.wait_for("12:00")
        terminal.wait_for("mcp> ")
        terminal.type('call admin-action {"what": "it"}\n')
        terminal.wait_for(r"\[Y/n\] ")
        terminal.type("\n")
        back = follow(terminal.wait_for(r"(http://\S+/authorize\?\S+)\s"))
        terminal.wait_for("paste")
        terminal.type(back + "\n")
        terminal.wait_for("done: it")
        terminal.wait_for("mcp> ")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_ctrl_c_at_the_prompt_leaves(tmp_path: Path) -> None:
    with signed_out(tmp_path) as (url, environment, _):
        terminal = Terminal(["shell", url], environment)
        back = follow(terminal.wait_for(r"(http://\S+/authorize\?\S+)\s"))
        terminal.wait_for("paste")
        terminal.type(back + "\n")
        terminal.wait_for("mcp> ")
        # CPython prints the prompt a moment before it listens, and forgets a signal in between.
        time.sleep(0.5)
        terminal.type("\x03")
        assert terminal.end() == 0
        assert "Traceback" not in terminal.screen

"""The client's commands as sessions in text, played against a real server with the SDK's own routes."""

from __future__ import annotations

import re
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from mcplatch.cli.main import mcplatch
from tests.client.servers import MemoryProvider, free_socket, sdk_app, serving

SESSION = Path(__file__).with_name("client.txt")
BROWSER = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10).read()"


@dataclass(frozen=True)
class Exchange:
    """A command, what is typed into it, and all that it prints."""

    command: str
    typed: str
    printed: str

    def __str__(self) -> str:
        typed = "".join(f"> {line}\n" for line in self.typed.splitlines())
        return f"$ {self.command}\n{typed}{self.printed}"


def exchanges(text: str) -> list[Exchange]:
    found = []
    for block in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, rest = block.partition("\n")
        lines = rest.rstrip("\n").split("\n")
        typed = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
        printed = [line for line in lines if not line.startswith("> ")]
        found.append(Exchange(command, "".join(f"{line}\n" for line in typed), "\n".join(printed)))
    return found


@pytest.mark.slow
@pytest.mark.requirement("CL-38", "CL-39", "CL-56", "CL-57", "CL-58")
def test_the_session_goes_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wallet = tmp_path / "wallet"
    monkeypatch.setenv("MCPLATCH_HOME", str(wallet))
    monkeypatch.setenv("BROWSER", shlex.join([sys.executable, "-c", BROWSER]))
    monkeypatch.delenv("MCPLATCH_STORE_KEY", raising=False)
    provider = MemoryProvider()
    listening, url = free_socket()
    written = SESSION.read_text()
    went = []
    with serving(sdk_app(provider, url), listening):
        for one in exchanges(written):
            words = shlex.split(one.command.replace("URL", url))[1:]
            result = CliRunner().invoke(
                mcplatch, words, input=one.typed, prog_name="mcplatch", catch_exceptions=False
            )
            printed = result.output.replace(url, "URL").replace(str(wallet), "WALLET")
            printed = re.sub(r"\b\d\d minutes", "59 minutes", printed)
            code = f"exit {result.exit_code}" if result.exit_code else ""
            went.append(Exchange(one.command, one.typed, f"{printed}{code}".rstrip("\n")))
    (tmp_path / "went.txt").write_text("\n\n".join(map(str, went)) + "\n")
    assert (tmp_path / "went.txt").read_text() == written
    tokens = [*provider.access, *provider.refreshes, *provider.codes]
    assert not any(token in str(one) for one in went for token in tokens)


@pytest.mark.parametrize("command", ["login", "shell", "call", "tools"])
def test_without_a_terminal_nothing_waits(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCPLATCH_HOME", str(tmp_path))
    monkeypatch.delenv("BROWSER", raising=False)
    listening, url = free_socket()
    with serving(sdk_app(MemoryProvider(), url), listening):
        words = [command, f"{url}/mcp", *(["get_time"] if command == "call" else [])]
        before = time.monotonic()
        result = CliRunner().invoke(mcplatch, words, input="")
        took = time.monotonic() - before
    assert result.exit_code == 3, result.output
    assert f"mcplatch login {url}/mcp" in result.output
    assert took < 2

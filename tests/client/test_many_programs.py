"""Ten real processes with one stored refresh token, against a server that rotates it at every use."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from mcplatch.client.auth import LatchAuth
from mcplatch.client.errors import Unreachable
from mcplatch.client.lock import holding, holding_here
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.wallet import Wallet
from tests.client.servers import MemoryProvider, free_socket, sdk_app, serving
from tests.client.test_interop import Follower
from tests.client.town import now

SHARER = Path(__file__).with_name("sharer.py")
PROGRAMS = 10


@pytest.mark.slow
@pytest.mark.requirement("CL-53", "CL-54")
def test_ten_programs_share_one_refresh_token(tmp_path: Path) -> None:
    provider = MemoryProvider()
    listening, base_url = free_socket()
    url = f"{base_url}/mcp"
    with serving(sdk_app(provider, base_url), listening):
        wallet = Wallet(tmp_path, find_keyring=lambda: None, say=lambda line: None)
        auth = LatchAuth(SignInRequest(url), wallet, person=Follower())
        held = anyio.run(auth.account.log_in)
        wallet.keep(replace(held, expires_at=now() - 1))
        provider.access.clear()
        codes = _race(tmp_path, url)
    assert len(codes) == PROGRAMS
    assert 401 not in codes
    assert provider.counts["refresh"] == 1
    assert provider.counts["authorize"] == 1
    again = wallet.find(url)
    assert again is not None
    assert again.refresh_token in provider.refreshes


def _race(directory: Path, url: str) -> list[int]:
    """All of them started, then all let go at once."""
    programs = [
        subprocess.Popen(
            [sys.executable, str(SHARER), str(directory), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROGRAMS)
    ]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin is not None
        program.stdin.write("\n")
        program.stdin.flush()
    codes = []
    for program in programs:
        out, err = program.communicate(timeout=60)
        assert program.returncode == 0, err
        codes.append(int(out))
    return codes


@pytest.mark.anyio
@pytest.mark.requirement("CL-54")
async def test_a_lock_is_held_by_one_and_waited_for_by_all(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "lock", 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with holding(path, seconds=10):
            inside += 1
            most = max(most, inside)
            await anyio.sleep(0.002)
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(work)
    assert most == 1


@pytest.mark.anyio
async def test_a_lock_that_is_never_let_go_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holding_here(path, seconds=1):
        with pytest.raises(Unreachable):
            async with holding(path, seconds=0.1):
                pytest.fail("two at once")
        with pytest.raises(Unreachable), holding_here(path, seconds=0.1):
            pytest.fail("two at once")
    async with holding(path, seconds=0.1):
        pass


@pytest.mark.slow
def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from mcplatch.client.lock import holding_here\n"
        f"with holding_here(Path({str(path)!r}), seconds=1): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    with holding_here(path, seconds=2):
        pass

"""The room's front door: its names are there, and cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mcplatch.client


def test_every_name_is_there() -> None:
    for name in mcplatch.client.__all__:
        assert getattr(mcplatch.client, name).__name__ == name
    with pytest.raises(AttributeError):
        _ = mcplatch.client.Nothing


def test_looking_into_the_wallet_loads_no_http_and_no_mcp() -> None:
    code = (
        "import sys; from mcplatch.client import Wallet; import mcplatch.cli.status, mcplatch.cli.login;"
        "print([m for m in ('httpx2', 'mcp', 'fastmcp', 'sqlalchemy', 'keyring') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"

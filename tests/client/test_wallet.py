"""The wallet: sealed, for its owner alone, whole or not at all, and never another issuer's."""

from __future__ import annotations

import os
import stat
import time
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from mcplatch.client.errors import WalletTrouble
from mcplatch.client.private_file import write_private
from mcplatch.client.register import Registration
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.wallet import Wallet
from mcplatch.client.wallet_key import KEY_FILE, KEYRING_MARK, os_keyring
from tests.client.table import ISSUER, SERVER
from tests.client.test_tokens import HELD


class Ring:
    """A keyring that is a dict; `fails` is what it does instead."""

    name = "Test Keyring"

    def __init__(self, fails: Exception | None = None) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.fails = fails

    def get_password(self, service: str, username: str) -> str | None:
        if self.fails:
            raise self.fails
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


def wallet(directory: Path, *, ring: Ring | None = None, key: str | None = None) -> Wallet:
    return Wallet(directory, store_key=key, find_keyring=lambda: ring, say=lambda line: None)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_found_by_another_program(tmp_path: Path) -> None:
    wallet(tmp_path).keep(HELD)
    assert wallet(tmp_path).find(SERVER) == HELD
    assert wallet(tmp_path).find(SERVER, "work") is None
    assert wallet(tmp_path).find("https://other.example/mcp") is None


def test_how_somebody_signed_in_need_not_be_said_again(tmp_path: Path) -> None:
    wallet(tmp_path).keep(HELD)
    assert wallet(tmp_path).request_for(SERVER) == HELD.request
    assert wallet(tmp_path).request_for(SERVER, "work") == SignInRequest(SERVER)
    auth = wallet(tmp_path).auth(SERVER, scopes="a b", interactive=False)
    assert auth.request == replace(HELD.request, scope=("a", "b"))


def test_accounts_are_apart(tmp_path: Path) -> None:
    ours, work = wallet(tmp_path), replace(HELD, account="work", access_token="at-work")
    ours.keep(HELD)
    ours.keep(work)
    assert ours.find(SERVER, "work") == work
    assert ours.find(SERVER) == HELD
    ours.forget(work)
    assert ours.find(SERVER) == HELD


@pytest.mark.requirement("CL-24")
def test_another_issuer_replaces_the_sign_in_and_never_shares_it(tmp_path: Path) -> None:
    ours, moved = wallet(tmp_path), replace(HELD, issuer="https://new.example", access_token="n")
    ours.keep(HELD)
    ours.keep(moved)
    assert ours.credentials() == [moved]


@pytest.mark.requirement("CL-57")
@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_everything_is_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "wallet"
    before = os.umask(0)
    try:
        ours = wallet(directory)
        ours.keep(HELD)
        ours.keep_registration(Registration(ISSUER, "c", "none", "dynamic"))
    finally:
        os.umask(before)
    assert mode_of(directory) == 0o700
    assert {mode_of(path) for path in directory.iterdir()} == {0o600}


@pytest.mark.requirement("CL-57")
@pytest.mark.skipif(os.name != "posix", reason="permission bits")
def test_permissions_given_to_others_are_taken_back(tmp_path: Path) -> None:
    wallet(tmp_path).keep(HELD)
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    tmp_path.chmod(0o755)
    assert wallet(tmp_path).find(SERVER) == HELD
    assert mode_of(tmp_path / KEY_FILE) == 0o600
    assert mode_of(tmp_path) == 0o700


@pytest.mark.requirement("CL-57")
@pytest.mark.parametrize("key", [None, "a passphrase"])
def test_nothing_readable_is_on_the_disk(tmp_path: Path, key: str | None) -> None:
    ours = wallet(tmp_path, key=key)
    secret = Registration(ISSUER, "c", "client_secret_post", "dynamic", client_secret="s3cret")
    ours.keep(HELD)
    ours.keep_registration(secret)
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for text in ("at-0", "rt-0", "s3cret", SERVER, ISSUER):
        assert text.encode() not in everything
        assert b64encode(text.encode()).rstrip(b"=") not in everything
    if key:
        assert not (tmp_path / KEY_FILE).exists()
        assert wallet(tmp_path, key="another").find(SERVER) is None


@pytest.mark.requirement("CL-57")
def test_the_key_goes_into_the_keyring_where_there_is_one(tmp_path: Path) -> None:
    ring = Ring()
    wallet(tmp_path, ring=ring).keep(HELD)
    assert len(ring.held) == 1
    assert not (tmp_path / KEY_FILE).exists()
    again = wallet(tmp_path, ring=ring)
    assert again.find(SERVER) == HELD
    assert "Test Keyring" in again.kept_in()


def test_a_keyring_that_has_gone_is_said_so_and_no_new_key_hides_it(tmp_path: Path) -> None:
    wallet(tmp_path, ring=Ring()).keep(HELD)
    for gone in (None, Ring(OSError("locked"))):
        with pytest.raises(WalletTrouble) as caught:
            wallet(tmp_path, ring=gone).find(SERVER)
        assert "keyring" in str(caught.value)
    assert not (tmp_path / KEY_FILE).exists()


def test_a_keyring_that_fails_from_the_start_is_none(tmp_path: Path) -> None:
    wallet(tmp_path, ring=Ring(RuntimeError("no backend"))).keep(HELD)
    assert (tmp_path / KEY_FILE).exists()
    assert not (tmp_path / KEYRING_MARK).exists()


@pytest.mark.slow
def test_a_keyring_that_hangs_does_not_hang_the_command(tmp_path: Path) -> None:
    class Hanging(Ring):
        def get_password(self, service: str, username: str) -> str | None:
            time.sleep(60)
            return None

    before = time.monotonic()
    wallet(tmp_path, ring=Hanging()).keep(HELD)
    assert time.monotonic() - before < 10


def test_the_absence_of_a_keyring_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        ours = Wallet(tmp_path, find_keyring=lambda: None, say=said.append)
        ours.keep(HELD)
        ours.keep(HELD)
    assert len(said) == 1
    assert "MCPLATCH_STORE_KEY" in said[0]


def test_this_machines_keyring_is_found_or_there_is_none() -> None:
    ring = os_keyring()
    assert ring is None or hasattr(ring, "get_password")


@pytest.mark.requirement("CL-57")
def test_altered_and_swapped_files_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, work = wallet(tmp_path), replace(HELD, account="work")
    ours.keep(HELD)
    ours.keep(work)
    first, second = sorted(tmp_path.glob("sign-in-*.sealed"))
    second.write_bytes(first.read_bytes())
    assert len(wallet(tmp_path).credentials()) == 1
    content = bytearray(first.read_bytes())
    content[-1] ^= 1
    first.write_bytes(content)
    assert wallet(tmp_path).credentials() == []
    assert first.exists()
    assert "another key, or altered" in caplog.text
    assert "at-0" not in caplog.text


@pytest.mark.parametrize("content", [b"", b"x", b"mcplatch-sealed-1", b"mcplatch-sealed-1\n\n"])
def test_a_file_that_is_none_of_ours_is_no_crash(tmp_path: Path, content: bytes) -> None:
    ours = wallet(tmp_path)
    ours.keep(HELD)
    (tmp_path / "sign-in-0000.sealed").write_bytes(content)
    assert ours.credentials() == [HELD]


@pytest.mark.parametrize("content", [b"", b"AAAA", b"%%%"])
def test_a_broken_key_file_is_said_so_and_kept(tmp_path: Path, content: bytes) -> None:
    wallet(tmp_path).keep(HELD)
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(WalletTrouble):
        wallet(tmp_path).find(SERVER)
    assert (tmp_path / KEY_FILE).read_bytes() == content


@pytest.mark.requirement("CL-57")
def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_private(target, b"old")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=r"."):
        write_private(tmp_path / "taken", b"new")
    with pytest.raises(TypeError):
        write_private(target, "no bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


@pytest.mark.requirement("CL-55")
def test_forgetting_does_not_drop_what_somebody_else_has_renewed(tmp_path: Path) -> None:
    ours, renewed = wallet(tmp_path), replace(HELD, refresh_token="rt-9")
    ours.keep(HELD)
    ours.keep(renewed)
    ours.forget(HELD)
    assert ours.find(SERVER) == renewed


def test_a_change_by_another_program_is_noticed(tmp_path: Path) -> None:
    ours = wallet(tmp_path)
    ours.keep(HELD)
    before = ours.version_of(HELD)
    wallet(tmp_path).keep(replace(HELD, access_token="at-9"))
    assert ours.version_of(HELD) != before
    ours.forget(replace(HELD, access_token="at-9"))
    assert ours.version_of(HELD) is None


@pytest.mark.requirement("CL-24")
def test_registrations_are_kept_by_issuer(tmp_path: Path) -> None:
    ours = wallet(tmp_path)
    held = Registration(ISSUER, "c", "none", "dynamic", scope=("a",), secret_expires_at=5)
    ours.keep_registration(held)
    assert wallet(tmp_path).registration(ISSUER) == held
    assert ours.registration(ISSUER + "/") is None
    ours.forget_registration(ISSUER)
    assert ours.registration(ISSUER) is None
    ours.forget_registration(ISSUER)


def test_looking_into_an_empty_wallet_makes_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "none"
    assert wallet(directory).find(SERVER) is None
    assert wallet(directory).credentials() == []
    assert not directory.exists()

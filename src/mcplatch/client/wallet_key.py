"""The key that seals the wallet: MCPLATCH_STORE_KEY, else the OS keyring, else a file only its
owner reads.

Only the key is in the keyring; the tokens are in sealed files. Keyrings limit the size of an entry,
ask the person once an entry, and cannot replace one atomically under a lock: a file can (CL-54,
CL-57).
"""

from __future__ import annotations

import hashlib
import os
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mcplatch.client.errors import WalletTrouble
from mcplatch.client.lock import holding_here
from mcplatch.client.private_file import read_private, write_private
from mcplatch.client.surroundings import STORE_KEY
from mcplatch.moment import Draw

SERVICE = "mcplatch"
ENTRY = "wallet key"
KEY_FILE = "wallet.key"
KEYRING_MARK = "wallet.keyring"
SALT_FILE = "wallet.salt"
KEYRING_SECONDS = 5.0


class Keyring(Protocol):
    """The two calls of the `keyring` package that are used."""

    def get_password(self, service: str, username: str) -> str | None:
        """The stored text, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Stores it."""


@dataclass(frozen=True, slots=True)
class WalletKey:
    """The 256-bit key, where it is kept (for people), and what to say aloud once."""

    key: bytes
    kept_in: str
    notice: str = ""

    def __repr__(self) -> str:
        return f"WalletKey(kept_in={self.kept_in!r})"


def open_wallet_key(
    directory: Path,
    *,
    store_key: str | None,
    find_keyring: Callable[[], Keyring | None],
    draw: Draw,
) -> WalletKey:
    """The wallet's key, made on first use. Raises `WalletTrouble` when its place does not
    answer.
    """
    if store_key is not None:
        return WalletKey(_stretch(directory, store_key, draw), f"a file sealed with {STORE_KEY}")
    with holding_here(directory / "wallet.lock", seconds=KEYRING_SECONDS * 2):
        if (directory / KEY_FILE).exists():
            return _from_file(directory)
        ring = find_keyring()
        if ring is not None and (found := _from_keyring(ring, directory, draw)) is not None:
            return found
        if (directory / KEYRING_MARK).exists():
            raise WalletTrouble(
                "The key of your stored sign-ins is in the OS keyring, which does not answer.",
                next_step=f"Unlock the keyring, or set {STORE_KEY} and sign in again.",
            )
        return _new_file(directory, draw)


def os_keyring() -> Keyring | None:
    """The keyring of the operating system, or None where there is none worth the name."""
    try:
        import keyring
        from keyring.backends import fail
    except ImportError:
        return None
    backend = keyring.get_keyring()
    if isinstance(backend, fail.Keyring) or backend.priority <= 0:
        return None
    return backend


def _from_keyring(ring: Keyring, directory: Path, draw: Draw) -> WalletKey | None:
    name = getattr(ring, "name", type(ring).__name__)
    mark = directory / KEYRING_MARK

    def fetch() -> bytes:
        stored = ring.get_password(SERVICE, ENTRY)
        if stored is None:
            stored = b64encode(draw(32)).decode()
            ring.set_password(SERVICE, ENTRY, stored)
        return b64decode(stored)

    key = _within_limits(fetch)
    if key is None or len(key) != 32:
        return None
    if not mark.exists():
        write_private(mark, b"the key of this wallet is in the keyring of the operating system\n")
    return WalletKey(key, f"sealed files, their key in the OS keyring ({name})")


def _within_limits(fetch: Callable[[], bytes]) -> bytes | None:
    """A locked keyring may wait for a window nobody sees; a daemon thread can be left behind."""
    found: list[bytes] = []

    def target() -> None:
        try:
            found.append(fetch())
        except Exception:  # noqa: BLE001  every backend has its own exceptions; all mean "no keyring"
            found.clear()

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(KEYRING_SECONDS)
    return found[0] if found else None


def _from_file(directory: Path) -> WalletKey:
    try:
        key = b64decode(read_private(directory / KEY_FILE).strip(), validate=True)
    except (OSError, ValueError) as trouble:
        raise _key_unreadable(directory) from trouble
    if len(key) != 32:
        raise _key_unreadable(directory)
    return WalletKey(key, _file_words(directory))


def _new_file(directory: Path, draw: Draw) -> WalletKey:
    key = draw(32)
    write_private(directory / KEY_FILE, b64encode(key) + b"\n")
    notice = (
        f"There is no OS keyring here: sign-ins are kept in {directory}, readable by you alone, "
        f"sealed with a key beside them. To keep the key elsewhere, set {STORE_KEY}."
    )
    return WalletKey(key, _file_words(directory), notice)


def _file_words(directory: Path) -> str:
    return f"sealed files in {directory}, their key beside them, both readable by you alone"


def _key_unreadable(directory: Path) -> WalletTrouble:
    return WalletTrouble(
        f"The key file {directory / KEY_FILE} cannot be read.",
        next_step="Restore it, or delete it together with the *.sealed files and sign in again.",
    )


def _stretch(directory: Path, store_key: str, draw: Draw) -> bytes:
    """A key from words a person may have chosen; the salt makes guessing start anew for each
    wallet.
    """
    path = directory / SALT_FILE
    with holding_here(directory / "wallet.lock", seconds=KEYRING_SECONDS * 2):
        if not path.exists():
            write_private(path, b64encode(draw(16)))
        salt = read_private(path)
    return hashlib.scrypt(
        store_key.encode(), salt=salt, n=2**14, r=8, p=1, maxmem=64 * 2**20, dklen=32
    )


def key_name(key: bytes) -> str:
    """A short public name of a key, to say which key sealed a file."""
    return hashlib.sha256(b"mcplatch wallet key name" + key).hexdigest()[:8]


def prepare(directory: Path) -> None:
    """Makes the wallet's directory, for its owner alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix" and directory.stat().st_mode & 0o077:
        directory.chmod(0o700)

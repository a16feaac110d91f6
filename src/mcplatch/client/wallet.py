"""The wallet: sign-ins kept between runs, sealed, one file each, shared safely by many programs
(CL-54, CL-57).
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcplatch.client import surroundings
from mcplatch.client.credential import Credential, from_json, to_json
from mcplatch.client.errors import WalletTrouble
from mcplatch.client.private_file import read_private, write_private
from mcplatch.client.register import Registration
from mcplatch.client.sign_in_request import SignInRequest
from mcplatch.client.wallet_key import (
    Keyring,
    WalletKey,
    key_name,
    open_wallet_key,
    os_keyring,
    prepare,
)
from mcplatch.moment import Draw
from mcplatch.seal import SealBroken, seal, unseal

if TYPE_CHECKING:
    from mcplatch.client.auth import LatchAuth, StepUpQuestion
    from mcplatch.client.program import Program

_log = logging.getLogger(__name__)

MAGIC = b"mcplatch-sealed-1"
DEFAULT_ACCOUNT = "default"


class Wallet:
    """What the person at this machine is signed in to.

    directory: where; None for the platform's place (MCPLATCH_HOME moves it).
    store_key: a secret that seals it; None for MCPLATCH_STORE_KEY, else the keyring, else a key
    file. say: told aloud, once, when there is no keyring and a key file is made.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        store_key: str | None = None,
        find_keyring: Callable[[], Keyring | None] = os_keyring,
        say: Callable[[str], None] = _log.warning,
        draw: Draw = secrets.token_bytes,
    ) -> None:
        self.directory = directory or surroundings.wallet_directory()
        self._store_key = store_key or surroundings.store_key()
        self._find_keyring = find_keyring
        self._say = say
        self._draw = draw
        self._opened: WalletKey | None = None

    def auth(
        self,
        server_url: str,
        *,
        scopes: str | tuple[str, ...] = "minimal",
        account: str = DEFAULT_ACCOUNT,
        interactive: bool = True,
        on_step_up: StepUpQuestion | None = None,
        program: Program | None = None,
    ) -> LatchAuth:
        """An `httpx2.Auth` for `server_url`: for `mcp`, `fastmcp.Client(url, auth=…)` and plain
        httpx2.

        scopes: "minimal" asks for what the server says it needs; else the scopes to ask for.
        interactive: False never opens a browser: `SignInNeeded` is raised instead.
        on_step_up: asked before more access is requested; False declines.
        program: signs in as itself instead of turning to a person (`mcplatch.client.program`).
        """
        from mcplatch.client.auth import LatchAuth

        wanted = tuple(scopes.split()) if isinstance(scopes, str) else tuple(scopes)
        return LatchAuth(
            replace(
                self.request_for(server_url, account),
                scope=None if scopes == "minimal" else wanted,
            ),
            self,
            account=account,
            interactive=interactive,
            on_step_up=on_step_up,
            program=program,
        )

    def kept_in(self) -> str:
        """Where sign-ins are kept, for people."""
        return self._key().kept_in

    def credentials(self) -> list[Credential]:
        """All sign-ins, latest first. One that this key does not open is left out and logged."""
        found = [credential for _, credential in self._all()]
        return sorted(found, key=lambda credential: (-credential.sign_in_at, credential.server_url))

    def find(self, server_url: str, account: str = DEFAULT_ACCOUNT) -> Credential | None:
        """The sign-in of `account` at `server_url`, or None."""
        fitting = (
            c for c in self.credentials() if (c.server_url, c.account) == (server_url, account)
        )
        return next(fitting, None)

    def request_for(self, server_url: str, account: str = DEFAULT_ACCOUNT) -> SignInRequest:
        """How `account` signed in to `server_url` last time; the plain way when it has not."""
        held = self.find(server_url, account)
        return SignInRequest(server_url) if held is None else held.request

    def keep(self, credential: Credential) -> None:
        """Stores it before anybody uses it. Another issuer's sign-in to the same server is
        dropped.
        """
        self._write(self._path_of(credential), to_json(credential))
        for path, other in list(self._all()):
            same = (other.server_url, other.account) == (credential.server_url, credential.account)
            if same and path != self._path_of(credential):
                path.unlink(missing_ok=True)

    def forget(self, credential: Credential) -> None:
        """Drops it, unless somebody has stored newer tokens in its place."""
        path = self._path_of(credential)
        with suppress(FileNotFoundError):
            if self._read_credential(path) in (credential, None):
                path.unlink()

    def version_of(self, credential: Credential) -> tuple[int, int] | None:
        """Changes whenever its stored form does; None when it is gone. Cheap."""
        try:
            found = self._path_of(credential).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def lock_path(self, server_url: str, account: str, purpose: str) -> Path:
        """The file to lock for `purpose` ("refresh", "sign-in") on one sign-in."""
        prepare(self.directory)
        return self.directory / f"{_digest(server_url, account)}.{purpose}.lock"

    def registration(self, issuer: str) -> Registration | None:
        """The dynamic registration held at `issuer`, or None."""
        content = self._read(self._registration_path(issuer))
        if content is None:
            return None
        try:
            values = json.loads(content)
            held = Registration(**{**values, "scope": tuple(values["scope"])})
        except (ValueError, TypeError, KeyError):
            return None
        return held if held.issuer == issuer else None

    def keep_registration(self, registration: Registration) -> None:
        """Stores it under its issuer; it is never used at another (CL-24)."""
        content = json.dumps(asdict(registration)).encode()
        self._write(self._registration_path(registration.issuer), content)

    def forget_registration(self, issuer: str) -> None:
        """Drops it."""
        self._registration_path(issuer).unlink(missing_ok=True)

    def keep_sealed(self, content: bytes, *names: str) -> None:
        """Stores `content` under `names`, for what is no sign-in of this client's."""
        self._write(self._other_path(names), content)

    def read_sealed(self, *names: str) -> bytes | None:
        """What is stored under `names`, or None."""
        return self._read(self._other_path(names))

    def _all(self) -> Iterator[tuple[Path, Credential]]:
        for path in sorted(self.directory.glob("sign-in-*.sealed")):
            credential = self._read_credential(path)
            if credential is not None:
                yield path, credential

    def _read_credential(self, path: Path) -> Credential | None:
        content = self._read(path)
        try:
            return None if content is None else from_json(content)
        except ValueError:
            return None

    def _path_of(self, credential: Credential) -> Path:
        bound = (credential.issuer, credential.resource or "", credential.account)
        return self.directory / f"sign-in-{_digest(*bound, credential.server_url)}.sealed"

    def _registration_path(self, issuer: str) -> Path:
        return self.directory / f"client-{_digest(issuer)}.sealed"

    def _other_path(self, names: tuple[str, ...]) -> Path:
        return self.directory / f"other-{_digest(*names)}.sealed"

    def _key(self) -> WalletKey:
        if self._opened is None:
            prepare(self.directory)
            self._opened = open_wallet_key(
                self.directory,
                store_key=self._store_key,
                find_keyring=self._find_keyring,
                draw=self._draw,
            )
            if self._opened.notice:
                self._say(self._opened.notice)
        return self._opened

    def _write(self, path: Path, content: bytes) -> None:
        key = self._key().key
        sealed = seal(key, content, bound_to=path.name)
        try:
            write_private(path, b"\n".join((MAGIC, key_name(key).encode(), sealed)))
        except OSError as trouble:
            raise WalletTrouble(
                f"{path} cannot be written ({trouble.strerror}).",
                next_step="Make room or permissions there, or set MCPLATCH_HOME to another place.",
            ) from trouble

    def _read(self, path: Path) -> bytes | None:
        try:
            magic, _, rest = read_private(path).partition(b"\n")
        except OSError:
            return None
        _, _, sealed = rest.partition(b"\n")
        if magic != MAGIC:
            _log.warning("%s is not a wallet file; left alone", path.name)
            return None
        try:
            return unseal(self._key().key, sealed, bound_to=path.name)
        except SealBroken:
            _log.warning("%s was sealed with another key, or altered; left alone", path.name)
            return None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

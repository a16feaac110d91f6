"""How the demonstration's servers, started one by one on one machine, find each other.

A resource server leaves a note for the authorization server it was pointed at: its own address and
a secret to introspect with (RFC 7662 2.1). The notes lie in a folder that only this user can read,
so typing the demonstration's commands in two terminals, in either order, is all there is to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mcplatch.environment import variable
from mcplatch.moment import Moment, clock

MAX_NOTE = 4096


@dataclass(frozen=True, slots=True)
class Announced:
    """A resource server that runs now: its address and the secret it introspects with."""

    resource: str
    secret: str


class NoMeetingPlace(Exception):
    """The folder of the notes belongs to somebody else; the message says which."""


def meeting_place() -> Path:
    """A folder of this user alone, made if need be; NoMeetingPlace if it is not private."""
    base = variable("XDG_RUNTIME_DIR")
    folder = Path(base) / "mcplatch-demo" if base else _in_temp()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    shared = stat.S_IMODE(found.st_mode) & 0o077 and os.name == "posix"
    if not stat.S_ISDIR(found.st_mode) or not mine or shared:
        raise NoMeetingPlace(f"{folder} is not a private folder of this user; remove it")
    return folder


@contextmanager
def announced(folder: Path, issuer: str, resource: str) -> Iterator[str]:
    """Leave a note for `issuer` while the block runs; gives the secret to introspect with."""
    secret = Moment(clock()).secret()
    note = folder / f"{_name(issuer)}-{os.getpid()}-{_name(resource)}.json"
    unfinished = note.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"resource": resource, "secret": secret, "pid": os.getpid()}, file)
    unfinished.rename(note)
    try:
        yield secret
    finally:
        note.unlink(missing_ok=True)


def present(folder: Path, issuer: str) -> tuple[Announced, ...]:
    """Who has left a note for `issuer` and still runs; notes of the dead are thrown away."""
    found: list[Announced] = []
    for note in sorted(folder.glob(f"{_name(issuer)}-*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(note.read_text()[:MAX_NOTE])
            if _runs(int(told["pid"])):
                found.append(Announced(str(told["resource"]), str(told["secret"])))
            else:
                note.unlink(missing_ok=True)
    return tuple(found)


def _in_temp() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    return Path(tempfile.gettempdir()) / f"mcplatch-demo-{user}"


def _name(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

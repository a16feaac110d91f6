"""The kinds of value a setting can have, and how each is read from TOML or the environment."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d{1,9})\s*([smhd]?)")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Text that shows itself only when asked to: neither repr, str, logs nor tracebacks have it."""

    _text: str

    def reveal(self) -> str:
        """The text itself; call it where the secret is used, and keep the answer nowhere."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `times` in any `seconds`; all of them may come at once."""

    times: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.times}/{self.seconds}s"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to accept connections: an address of this machine and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def text(value: object) -> str:
    """Non-empty text, exactly as written."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    return value


def one_of(*choices: str) -> Callable[[object], str]:
    """A reader that takes these words only."""

    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return read


def switch(value: object) -> bool:
    """true or false; in the environment also 1/0, yes/no, on/off."""
    word = value.strip().lower() if isinstance(value, str) else value
    if word in (True, "true", "1", "yes", "on"):
        return True
    if word in (False, "false", "0", "no", "off"):
        return False
    raise ValueError("must be true or false")


def count(value: object) -> int:
    """A whole number above zero."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("must be a whole number above zero")
    return value


def duration(value: object) -> int:
    """Seconds, from a number of seconds or from text such as "90s", "10m", "12h", "30d"."""
    match = _DURATION.fullmatch(str(value)) if isinstance(value, int | str) else None
    if match is None or isinstance(value, bool):
        raise ValueError('must be seconds, or text such as "90s", "10m", "12h" or "30d"')
    return int(match[1]) * _UNITS[match[2]]


def rate(value: object) -> Rate:
    """How often something may happen, from text such as "20/1m"."""
    times, slash, period = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash:
        raise ValueError('must be text such as "20/1m": how many times in how long')
    period = period.strip()
    return Rate(count(times.strip()), duration("1" + period if period in _UNITS else period))


def texts(value: object) -> tuple[str, ...]:
    """Several texts: a TOML array, or in the environment one variable with commas between."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise ValueError("must be a list of texts")
    return tuple(value)


def listen(value: object) -> Listen:
    """An address and a port: "127.0.0.1:9000", "[::1]:9000"."""
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError('must be an address and a port, such as "127.0.0.1:9000"')
    return Listen(host.removeprefix("[").removesuffix("]"), int(port))


def path(value: object) -> Path:
    """The path of a file; a relative one counts from the folder of the configuration file."""
    return Path(text(value)).expanduser()


def secret(value: object) -> Secret:
    """A secret of at least 16 characters."""
    if not isinstance(value, str) or len(value.strip()) < 16:
        raise ValueError("must have at least 16 characters")
    return Secret(value.strip())


def secret_key(value: object) -> Secret:
    """A secret that is at least 32 bytes written as base64url; mcplatch init makes one."""
    written = value.strip() if isinstance(value, str) else ""
    try:
        size = len(base64.b64decode(written + "=" * (-len(written) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size < 32:
        raise ValueError(
            "must be at least 32 random bytes written as base64url (mcplatch init makes one)"
        )
    return Secret(written)

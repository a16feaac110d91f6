"""The client's look at its surroundings: environment variables, terminal, platform. Nothing else
reads them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcplatch.environment import variable

STORE_KEY = "MCPLATCH_STORE_KEY"
HOME = "MCPLATCH_HOME"


def store_key() -> str | None:
    """The secret that seals the wallet, if the person set one."""
    return variable(STORE_KEY)


def wallet_directory() -> Path:
    """Where the wallet lives: MCPLATCH_HOME, else the platform's place for a person's data."""
    if home := variable(HOME):
        return Path(home)
    if sys.platform == "win32":
        base = Path(variable("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(variable("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "mcplatch"


def browser_command() -> str | None:
    """$BROWSER, when set."""
    return variable("BROWSER")


def has_display() -> bool:
    """Whether a window could open in front of the person who runs this."""
    if variable("SSH_CONNECTION"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(variable("DISPLAY") or variable("WAYLAND_DISPLAY"))


def has_terminal() -> bool:
    """Whether a person can read what is printed and type an answer."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))

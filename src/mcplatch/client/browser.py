"""Opens a web page in front of the person: $BROWSER or the platform's browser, never through a
shell (CL-9).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import webbrowser
from urllib.parse import urlsplit

import anyio

from mcplatch.client import surroundings


def can_open() -> bool:
    """Whether there is a browser to open and somebody who would see it."""
    return surroundings.browser_command() is not None or surroundings.has_display()


async def open_page(url: str) -> bool:
    """Shows `url`; False when no browser took it.

    Only http(s) in printable ASCII, so that nothing the server chose is an option, a script,
    another program's scheme or a second argument.
    """
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or urlsplit(url).scheme not in ("http", "https"):
        return False
    command = surroundings.browser_command()
    if command is not None:
        return any(_start(alternative, url) for alternative in command.split(os.pathsep))
    # Some platforms' openers wait for the browser to end.
    return await anyio.to_thread.run_sync(webbrowser.open, url, abandon_on_cancel=True)


def _start(command: str, url: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    if not words:
        return False
    argv = [word.replace("%s", url) for word in words]
    if not any("%s" in word for word in words):
        argv.append(url)
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    # Somebody has to take note of its end, or it stays in the process table.
    threading.Thread(target=process.wait, daemon=True).start()
    return True

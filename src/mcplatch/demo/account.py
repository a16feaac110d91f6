"""The demonstration's one person: from the environment, or with a password made up on the spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcplatch.moment import Draw

USERNAME_VARIABLE = "MCP_DEMO_USERNAME"
PASSWORD_VARIABLE = "MCP_DEMO_PASSWORD"
USERNAME = "ada"

# Without what is mistaken for something else when it is read off a terminal: 0 o, 1 l i, u v.
_LETTERS = "abcdefghjkmnpqrstwxyz23456789"
_GROUPS, _GROUP = 4, 4


@dataclass(frozen=True, slots=True)
class Account:
    """Who can sign in; `made_up` when the password has to be shown, since nobody chose it."""

    username: str
    password: str
    made_up: bool


def account(environ: Mapping[str, str], draw: Draw) -> Account:
    """The person that the environment names; a random password where it names none."""
    username = environ.get(USERNAME_VARIABLE, "").strip() or USERNAME
    password = environ.get(PASSWORD_VARIABLE, "")
    if password:
        return Account(username, password, made_up=False)
    return Account(username, made_up_password(draw), made_up=True)


def made_up_password(draw: Draw) -> str:
    """Four groups of four easily read characters, about 77 bits; each drawn without bias."""
    limit = 256 - 256 % len(_LETTERS)
    letters: list[str] = []
    while len(letters) < _GROUPS * _GROUP:
        letters += [_LETTERS[byte % len(_LETTERS)] for byte in draw(32) if byte < limit]
    groups = ["".join(letters[at : at + _GROUP]) for at in range(0, _GROUPS * _GROUP, _GROUP)]
    return "-".join(groups)

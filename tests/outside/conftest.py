"""What the outside suites run against: our demonstration's servers, or any server named in the environment.

OUTSIDE_RESOURCE (an MCP URL), OUTSIDE_USERNAME and OUTSIDE_PASSWORD judge a server that is already running.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.outside.stack import PASSWORD, USERNAME, Target, demonstration, resource_metadata
from tests.outside.toolbox import install, surroundings

People = Callable[..., dict[str, str]]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def programs() -> None:
    """The pinned programs of the npm registry are there."""
    install()


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The servers that are judged."""
    given = os.environ.get("OUTSIDE_RESOURCE")
    if given:
        issuer = resource_metadata(given)["authorization_servers"][0]
        name, password = os.environ["OUTSIDE_USERNAME"], os.environ["OUTSIDE_PASSWORD"]
        yield Target(given, issuer, name, password)
        return
    with demonstration(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture
def person(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Makes the environment of one more person: an empty home and a browser that signs in."""
    if "OUTSIDE_RESOURCE" in os.environ:
        names = os.environ["OUTSIDE_USERNAME"], os.environ["OUTSIDE_PASSWORD"]
    else:
        names = USERNAME, PASSWORD
    who = {"FORM_BROWSER_USERNAME": names[0], "FORM_BROWSER_PASSWORD": names[1]}

    def make(**more: str) -> dict[str, str]:
        home = tmp_path / f"home{next(_numbers)}"
        home.mkdir()
        return surroundings(home, **who, **more)

    return make


def walks(env: dict[str, str]) -> list[dict[str, object]]:
    """What the browser of this person wrote down, one entry a visit."""
    log = Path(env["FORM_BROWSER_LOG"])
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

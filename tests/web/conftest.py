"""The stage of the browser tests, on SQLite; what depends on the database asks for `store` itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mcplatch.store import open_store
from tests.web.stage import Person, Stage, open_stage


@pytest.fixture
async def stage(sqlite_url: str) -> AsyncIterator[Stage]:
    """A house with Ana, Ben and one app that registered itself."""
    opened = open_store(sqlite_url)
    yield await open_stage(opened)
    await opened.close()


@pytest.fixture
async def ana(stage: Stage) -> Person:
    """Ana at her browser, not signed in."""
    return Person(stage)

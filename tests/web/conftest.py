"""The stage of the browser tests, on SQLite; what depends on the database asks for `store` itself."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcplatch.store.sqlite import SqliteStore
from tests.web.stage import Person, Stage, open_stage


@pytest.fixture
def sqlite_path(sqlite_template: Path, tmp_path: Path) -> Path:
    """A new SQLite database with the schema, not looked over again."""
    return Path(shutil.copy(sqlite_template, tmp_path / "latch.db"))


@pytest.fixture
async def stage(sqlite_path: Path) -> AsyncIterator[Stage]:
    """A house with Ana, Ben and one app that registered itself."""
    opened = SqliteStore(str(sqlite_path))
    yield await open_stage(opened)
    await opened.close()


@pytest.fixture
async def ana(stage: Stage) -> Person:
    """Ana at her browser, not signed in."""
    return Person(stage)

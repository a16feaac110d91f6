"""One running server for all attacks of a file: they must leave it as it was."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcplatch.protocol.redirect_uri import KNOWN_PRIVATE_URIS
from mcplatch.store.sqlite import SqliteStore
from tests.attack.stage import Target, attacked
from tests.web.stage import POLICY


@pytest.fixture(scope="module")
async def target(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("attack") / "latch.db")
    store = SqliteStore(str(path))
    policy = replace(POLICY, private_redirect_uris=KNOWN_PRIVATE_URIS)
    async with attacked(store, policy) as opened:
        yield opened
    await store.close()

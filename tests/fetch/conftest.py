"""What the tests of the outbound door share: one certificate authority."""

from __future__ import annotations

import pytest

from tests.fetch.stage import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))

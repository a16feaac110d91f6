"""What tests of the guard start from: a clock, an authorization server, a guarded application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from mcplatch.resource_server.latch import Latch
from tests.resource_server.issuer import Clock, Issuer
from tests.resource_server.servers import WAYS, make_app, make_latch, serving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def latch(issuer: Issuer, clock: Clock) -> Latch:
    return make_latch(issuer, clock)


@pytest.fixture(params=WAYS)
async def anyhow(request: pytest.FixtureRequest, latch: Latch) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server guarded in every way; whoever asks for it runs once for each."""
    async with serving(make_app(request.param, latch)) as client:
        yield client


@pytest.fixture
async def client(latch: Latch) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a guarded server, for what does not depend on the kind of server."""
    async with serving(make_app("mcp", latch, json_response=True)) as client:
        yield client

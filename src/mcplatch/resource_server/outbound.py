"""The guard's way out, to its configured authorization servers; no redirects (RFC 8414 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcplatch.protocol.jsonrpc import parse_json
from mcplatch.protocol.refusal import Refusal
from mcplatch.resource_server.addresses import is_secure

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 256 * 1024
TIMEOUT = 5.0
"""Seconds one whole exchange may take."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No usable answer; `status` is what the server answered, None when it did not."""

    detail: str
    status: int | None = None


class Outbound:
    """Fetches JSON objects, from configured addresses or those in a configured issuer's metadata.

    One connection pool, made on first use and held: a new client for every introspection costs more
    than everything else the guard does. `transport` stands in for the network in tests.
    """

    def __init__(
        self, *, transport: httpx2.AsyncBaseTransport | None = None, timeout: float = TIMEOUT
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._client: httpx2.AsyncClient | None = None

    async def get_json(self, url: str) -> dict[str, Any] | Unreachable:
        """The JSON object at `url`."""
        return await self._exchange("GET", url)

    async def post_form(
        self, url: str, form: Mapping[str, str], *, authorization: str
    ) -> dict[str, Any] | Unreachable:
        """The JSON object that answers `form`."""
        return await self._exchange("POST", url, form=form, authorization=authorization)

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _exchange(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        authorization: str | None = None,
    ) -> dict[str, Any] | Unreachable:
        import httpx2

        if not is_secure(url):
            return Unreachable(f"{url} is neither https nor loopback")
        headers = {"accept": "application/json"}
        if authorization is not None:
            headers["authorization"] = authorization
        try:
            async with asyncio.timeout(self._timeout):
                async with self._held().stream(method, url, data=form, headers=headers) as answer:
                    if answer.status_code != 200:
                        return Unreachable(
                            f"{url} answered {answer.status_code}", answer.status_code
                        )
                    body = await _bounded(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            return Unreachable(f"{url}: {type(error).__name__}")
        document = None if body is None else parse_json(body)
        if isinstance(document, Refusal) or not isinstance(document, dict):
            return Unreachable(f"{url} did not answer with a JSON object", 200)
        return document

    def _held(self) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self._transport, timeout=self._timeout, follow_redirects=False
            )
        return self._client


async def _bounded(answer: httpx2.Response) -> bytes | None:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)

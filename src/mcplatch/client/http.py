"""The client's outbound requests to authorization servers: small answers, short limits, no
wandering.

A metadata document may redirect within its own origin; nothing else follows a redirect, so a form
with a code or a secret in it reaches the address it was meant for or nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

import anyio
import httpx2

from mcplatch.client.errors import Unreachable
from mcplatch.client.sign_in_request import origin_of
from mcplatch.client.talk import Get, Post, Reply

MOST_BYTES = 512 * 1024
MOST_REDIRECTS = 3
SECONDS_IN_ALL = 20.0
TIMEOUT = httpx2.Timeout(10.0, connect=5.0)
USER_AGENT = "mcplatch"

OpenClient = Callable[[], httpx2.AsyncClient]


def open_client() -> httpx2.AsyncClient:
    """A client for authorization servers. It carries nothing of the MCP connection: no headers, no
    cookies.
    """
    return httpx2.AsyncClient(
        timeout=TIMEOUT,
        follow_redirects=False,
        headers={"user-agent": USER_AGENT, "accept-encoding": "identity"},
    )


async def send(client: httpx2.AsyncClient, request: Get | Post) -> Reply:
    """The reply to `request`. Raises `Unreachable` on any failure of the network or a limit."""
    try:
        with anyio.fail_after(SECONDS_IN_ALL):
            return await _send(client, request, MOST_REDIRECTS)
    except TimeoutError:
        reason = f"no complete answer within {SECONDS_IN_ALL:.0f} seconds"
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError) as trouble:
        reason = str(trouble) or type(trouble).__name__
    raise Unreachable(
        f"{origin_of(request.url)} cannot be reached ({reason}).",
        next_step="Check the address and your network, then try again.",
    )


async def _send(client: httpx2.AsyncClient, request: Get | Post, redirects: int) -> Reply:
    async with client.stream(
        "POST" if isinstance(request, Post) else "GET",
        request.url,
        headers=_headers(request),
        content=request.body if isinstance(request, Post) else None,
    ) as response:
        location = response.headers.get("location")
        if _may_follow(request, response.status_code, location) and redirects:
            target = urljoin(request.url, str(location))
            if origin_of(target) == origin_of(request.url):
                return await _send(client, Get(target, request.accept), redirects - 1)
        body = b"" if request.head_only else await _read(response)
        headers = tuple((k.lower(), v) for k, v in response.headers.multi_items())
        return Reply(request.url, response.status_code, headers, body)


def _headers(request: Get | Post) -> dict[str, str]:
    headers = {"accept": request.accept}
    if isinstance(request, Post):
        headers["content-type"] = request.content_type
        if request.authorization is not None:
            headers["authorization"] = request.authorization
        if request.dpop is not None:
            headers["dpop"] = request.dpop
    return headers


def _may_follow(request: Get | Post, status: int, location: str | None) -> bool:
    """A page a person is to see is not followed for them, and a form never is."""
    plain = isinstance(request, Get) and not request.head_only
    return plain and location is not None and status in (301, 302, 303, 307, 308)


async def _read(response: httpx2.Response) -> bytes:
    # A packed answer was not asked for, and a few bytes of one can unpack to gigabytes.
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.DecodingError("the answer is packed, which was not asked for")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Unreachable(
                f"{origin_of(str(response.request.url))} sends more than {MOST_BYTES // 1024} KB.",
                next_step="That is no authorization server; check the address.",
            )
    return bytes(body)

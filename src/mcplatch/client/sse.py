"""HTTP+SSE in which a message that is refused gets an answer (CL-64).

The official client's transport logs such a refusal, sends nothing any more and leaves whoever asked
waiting. Here it becomes the answer to that one message, as with streamable HTTP, and the session
goes on. `mcp_session.py` imports this file when a session is opened over SSE.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
from mcp.client._transport import ReadStream, WriteStream
from mcp.client.sse import sse_client
from mcp.shared._context_streams import ContextSendStream, create_context_streams
from mcp.shared._httpx_utils import next_request_within_origin
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from mcplatch.client.errors import LatchError

if TYPE_CHECKING:
    from mcplatch.client.auth import LatchAuth

Heard = SessionMessage | Exception


@asynccontextmanager
async def sse_streams(
    server_url: str, auth: LatchAuth | None
) -> AsyncIterator[tuple[ReadStream[Heard], WriteStream[SessionMessage]]]:
    """The transport for `mcp.Client`: what is heard, and where to speak."""
    hearing, heard = create_context_streams[Heard](0)

    def client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        return _Answered(hearing, headers=headers, timeout=timeout, auth=auth)

    async with (
        hearing,
        heard,
        sse_client(server_url, httpx_client_factory=client, auth=auth) as (read, write),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_pass_on, read, hearing)
        yield heard, write
        tasks.cancel_scope.cancel()


async def _pass_on(read: ReadStream[Heard], hearing: ContextSendStream[Heard]) -> None:
    async with hearing:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for message in read:
                await hearing.send(message)


class _Answered(httpx2.AsyncClient):
    """Answers the message of a POST that failed, and lets the transport think that it went well."""

    def __init__(self, hearing: ContextSendStream[Heard], **given: Any) -> None:
        super().__init__(**given)
        self._hearing = hearing

    async def send(self, request: httpx2.Request, **given: Any) -> httpx2.Response:
        if request.method != "POST":
            return await super().send(request, **given)
        try:
            response = await super().send(request, **given)
            if response.is_success or next_request_within_origin(response) is not None:
                return response
            error = await _refusal(response)
        except LatchError as trouble:
            error = ErrorData(code=INTERNAL_ERROR, message=str(trouble))
        except httpx2.TransportError as trouble:
            lost = f"The connection was lost ({trouble or type(trouble).__name__})."
            error = ErrorData(code=CONNECTION_CLOSED, message=lost)
        await self._answer(request, error)
        return httpx2.Response(202, request=request)

    async def _answer(self, request: httpx2.Request, error: ErrorData) -> None:
        message = jsonrpc_message_adapter.validate_json(request.content, by_name=False)
        if isinstance(message, JSONRPCRequest):
            answer = JSONRPCError(jsonrpc="2.0", id=message.id, error=error)
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._hearing.send(SessionMessage(answer))


async def _refusal(response: httpx2.Response) -> ErrorData:
    """The server's own JSON-RPC error if the response is one, else its status."""
    try:
        parsed = jsonrpc_message_adapter.validate_json(await response.aread(), by_name=False)
    except ValidationError:
        parsed = None
    finally:
        await response.aclose()
    if isinstance(parsed, JSONRPCError):
        return parsed.error
    # A session that is not known, or belongs to another sign-in, is over.
    code = CONNECTION_CLOSED if response.status_code == 404 else INTERNAL_ERROR
    return ErrorData(code=code, message=f"the server answered {response.status_code}")

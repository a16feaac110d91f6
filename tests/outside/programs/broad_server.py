"""An MCP server with a bit of every feature, for the server half of the conformance suite.

`python -m tests.outside.programs.broad_server PORT` serves it bare. With ISSUER and TOKEN in the
environment our guard stands before it, and every request is given that token on its way in: what
the suite then sees differs from the bare server by the guard alone.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.request_state import RequestStateSecurity
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import (
    Completion,
    EmptyResult,
    JSONRPCMessage,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from tests.outside.programs.broad_tools import PIXEL, add_tools, ask, in_words, required

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def add_prompts(server: MCPServer) -> None:
    @server.prompt(description="Takes nothing.")
    def test_simple_prompt() -> Any:
        return "This is a simple prompt for testing."

    @server.prompt(description="Takes two arguments.")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> Any:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="Holds a resource.")
    def test_prompt_with_embedded_resource(resourceUri: str) -> Any:
        held = {"uri": resourceUri, "mimeType": "text/plain", "text": "Held."}
        return [user({"type": "resource", "resource": held}), user(text("Read it."))]

    @server.prompt(description="Holds an image.")
    def test_prompt_with_image() -> Any:
        return [user({"type": "image", "data": PIXEL, "mimeType": "image/png"})]

    @server.prompt(description="Asks before it answers.")
    async def test_input_required_result_prompt(ctx: Context) -> Any:
        answers = ctx.input_responses or {}
        if "user_context" in answers:
            return f"Use this context: {in_words(answers['user_context'])}"
        question = ask("What context should the prompt use?", "context")
        return required({"user_context": question})


def user(content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": content}


def add_resources(server: MCPServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain", description="A text.")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png", description="An image.")
    def static_binary() -> bytes:
        return base64.b64decode(PIXEL)

    @server.resource("test://watched-resource", description="One that is watched.")
    def watched() -> str:
        return "watched"

    @server.resource("test://template/{number}/data", mime_type="application/json")
    def template(number: str) -> str:
        return json.dumps({"id": number, "templateTest": True, "data": f"Data for ID: {number}"})


def add_methods(server: MCPServer) -> None:
    """Methods for which MCPServer has no decorator."""

    async def nothing(ctx: Any, params: Any) -> EmptyResult:
        return EmptyResult()

    methods: dict[str, type[RequestParams]] = {
        "logging/setLevel": SetLevelRequestParams,
        "resources/subscribe": SubscribeRequestParams,
        "resources/unsubscribe": UnsubscribeRequestParams,
    }
    for method, params in methods.items():
        server._lowlevel_server.add_request_handler(method, params, nothing)

    @server.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> Completion:
        return Completion(values=["paris", "park"], total=2, has_more=False)


class Events(EventStore):
    """Remembers what was sent on each stream, for a client that comes back (SEP-1699)."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._sent.append((stream_id, message))
        return str(len(self._sent))

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        seen = int(last_event_id)
        if not 0 < seen <= len(self._sent):
            return None
        stream = self._sent[seen - 1][0]
        for number, (of, message) in enumerate(self._sent[seen:], seen + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def with_token(app: App, token: str) -> App:
    """Put the token on every request that has none, as a proxy before the server would."""
    word = f"Bearer {token}".encode()

    async def ask_with_token(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"authorization", word)]}
        await app(scope, receive, send)

    return ask_with_token


def main(port: int) -> None:
    server = MCPServer(
        "broad", version="1", request_state_security=RequestStateSecurity(keys=[os.urandom(32)])
    )
    add_tools(server)
    add_prompts(server)
    add_resources(server)
    add_methods(server)
    options: dict[str, Any] = {"event_store": Events(), "retry_interval": 100}
    app: App
    if issuer := os.environ.get("ISSUER"):
        from mcplatch.resource_server.latch import Latch

        latch = Latch(issuer, resource=f"http://localhost:{port}/mcp", baseline="user")
        app = with_token(latch.asgi(server, **options), os.environ["TOKEN"])
    else:
        app = server.streamable_http_app(**options)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]))

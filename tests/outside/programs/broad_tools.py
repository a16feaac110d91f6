"""Tools with a bit of every feature, for the server half of the conformance suite (MCP tools)."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.shared.exceptions import MCPError
from mcp_types import (
    ContentBlock,
    ElicitResult,
    InputRequiredResult,
    ListRootsResult,
    SamplingMessage,
)
from pydantic import BaseModel, Field, TypeAdapter, create_model

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()
SILENCE = base64.b64encode(
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0"
).decode()
CONTENT = TypeAdapter(list[ContentBlock])
TEXT_RESOURCE = {"uri": "test://embedded-resource", "mimeType": "text/plain"}
CONTENT_TOOLS: dict[str, list[dict[str, Any]]] = {
    "test_image_content": [{"type": "image", "data": PIXEL, "mimeType": "image/png"}],
    "test_audio_content": [{"type": "audio", "data": SILENCE, "mimeType": "audio/wav"}],
    "test_embedded_resource": [
        {"type": "resource", "resource": {**TEXT_RESOURCE, "text": "An embedded text."}}
    ],
    "test_multiple_content_types": [
        {"type": "text", "text": "Several kinds of content:"},
        {"type": "image", "data": PIXEL, "mimeType": "image/png"},
        {"type": "resource", "resource": {**TEXT_RESOURCE, "text": "{}"}},
    ],
}
ENUM_FIELDS: dict[str, dict[str, Any]] = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2"]},
    "titledSingle": {"type": "string", "oneOf": [{"const": "value1", "title": "First"}]},
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1"]}},
    "titledMulti": {"type": "array", "items": {"anyOf": [{"const": "value1", "title": "One"}]}},
    "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]},
}
RICH_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def ask(message: str, name: str, kind: str = "string") -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return {
        "method": "elicitation/create",
        "params": {"message": message, "requestedSchema": schema},
    }


def sample(text: str, tokens: int) -> dict[str, Any]:
    message = {"role": "user", "content": {"type": "text", "text": text}}
    return {
        "method": "sampling/createMessage",
        "params": {"messages": [message], "maxTokens": tokens},
    }


ROOTS = {"method": "roots/list", "params": {}}
NAME = ask("What is your name?", "name")
# Tools that answer only when every request in their row has been answered; with a state where named.
ROUNDS: dict[str, tuple[dict[str, Any], str | None]] = {
    "elicitation": ({"user_name": NAME}, None),
    "sampling": ({"capital_question": sample("What is the capital of France?", 100)}, None),
    "list_roots": ({"client_roots": ROOTS}, None),
    "request_state": ({"confirm": ask("Please confirm", "ok", "boolean")}, "asked"),
    "tampered_state": ({"confirm": ask("Please confirm", "ok", "boolean")}, "asked"),
    "multiple_inputs": (
        {"user_name": NAME, "greeting": sample("Generate a greeting", 50), "client_roots": ROOTS},
        "asked",
    ),
}


def required(requests: dict[str, Any], state: str | None = None) -> InputRequiredResult:
    return InputRequiredResult.model_validate(
        {"resultType": "input_required", "inputRequests": requests, "requestState": state}
    )


def in_words(answer: object) -> str:
    if isinstance(answer, ElicitResult):
        return " ".join(map(str, (answer.content or {}).values()))
    if isinstance(answer, ListRootsResult):
        return f"{len(answer.roots)} root(s) at {', '.join(str(root.uri) for root in answer.roots)}"
    return str(getattr(getattr(answer, "content", None), "text", answer))


def add_content_tools(server: MCPServer) -> None:
    for name, content in CONTENT_TOOLS.items():
        blocks = CONTENT.validate_python(content)
        add_plain(server, name, blocks)
    add_plain(server, "test_simple_text", "This is a simple text response for testing.")


def add_plain(server: MCPServer, name: str, answer: Any) -> None:
    def tool() -> Any:
        return answer

    words = f"Answers as {name} should."
    server.add_tool(tool, name=name, description=words, structured_output=False)


def add_ordinary_tools(server: MCPServer) -> None:
    """Errors, logs, progress, a stream that is closed half-way, rich schemas."""

    @server.tool(description="Always fails.")
    def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool(description="Logs three times.")
    async def test_tool_with_logging(ctx: Context) -> str:
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await asyncio.sleep(0.05)
        return "logged"

    @server.tool(description="Tells how far it is.")
    async def test_tool_with_progress(ctx: Context) -> str:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100, f"{done} of 100")
            await asyncio.sleep(0.05)
        return "done"

    @server.tool(description="Closes its stream and goes on.")
    async def test_reconnection(ctx: Context) -> str:
        await ctx.close_sse_stream()
        await asyncio.sleep(0.2)
        return "reconnected"

    @server.tool(description="Mirrors an argument into a header.")
    def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none",
    ) -> str:
        return region

    @server.tool(description="Needs a client that can sample.")
    async def test_missing_capability(ctx: Context) -> str:
        if getattr(ctx.client_capabilities, "sampling", None) is None:
            data: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(code=-32021, message="needs the sampling capability", data=data)
        return "capable"

    @server.tool(description="Has a schema with everything in it.")
    def json_schema_2020_12_tool() -> str:
        return "ok"

    server._tool_manager._tools["json_schema_2020_12_tool"].parameters = RICH_SCHEMA


# One field for each way of writing an enumeration.
KINDS: dict[str, Any] = {"string": str, "array": list[str]}
FIELDS: dict[str, Any] = {
    name: (KINDS[schema["type"]], Field(json_schema_extra=schema))
    for name, schema in ENUM_FIELDS.items()
}
Choices: type[BaseModel] = create_model("Choices", **FIELDS)


class Defaults(BaseModel):
    """One default for each primitive type."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


class Reply(BaseModel):
    """What the person is asked for by test_elicitation."""

    username: str
    email: str


def add_asking_tools(server: MCPServer) -> None:
    """Tools that ask the client in the middle of a call, as the wire of 2025 does."""

    @server.tool(description="Asks a model.")
    async def test_sampling(prompt: str, ctx: Context) -> str:
        message = {"role": "user", "content": {"type": "text", "text": prompt}}
        answer = await ctx.session.create_message(
            messages=[SamplingMessage.model_validate(message)],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        return f"LLM response: {in_words(answer)}"

    @server.tool(description="Asks the person.")
    async def test_elicitation(message: str, ctx: Context) -> str:
        return await elicited(ctx, message, Reply)

    @server.tool(description="Asks the person, with defaults.")
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        return await elicited(ctx, "Please check these", Defaults)

    @server.tool(description="Asks the person to choose.")
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        return await elicited(ctx, "Please choose", Choices)


async def elicited(ctx: Context, message: str, schema: type[BaseModel]) -> str:
    answer = await ctx.elicit(message, schema)
    given = answer.data.model_dump_json() if answer.action == "accept" else "{}"
    return f"User response: action={answer.action}, content={given}"


def add_round_tools(server: MCPServer) -> None:
    """Tools that ask by answering "input required", as the wire of 2026 does (SEP-2322)."""
    for short, (requests, state) in ROUNDS.items():
        add_round_tool(server, short, requests, state)

    @server.tool(description="Asks two things, one after the other.", structured_output=False)
    async def test_input_required_result_multi_round(ctx: Context) -> Any:
        answers = ctx.input_responses or {}
        if ctx.request_state == "second" and "step2" in answers:
            return f"likes {in_words(answers['step2'])}"
        if ctx.request_state == "first" and "step1" in answers:
            step = ask("Step 2: What is your favorite color?", "color")
            return required({"step2": step}, "second")
        return required({"step1": ask("Step 1: What is your name?", "name")}, "first")

    @server.tool(description="Asks only what the client can do.", structured_output=False)
    async def test_input_required_result_capabilities(ctx: Context) -> Any:
        able = ctx.client_capabilities
        wanted = {"elicitation": NAME, "sampling": sample("Say hello", 50)}
        return required(
            {name: one for name, one in wanted.items() if getattr(able, name, None) is not None}
        )


def add_round_tool(
    server: MCPServer, short: str, requests: dict[str, Any], state: str | None
) -> None:
    async def tool(ctx: Context) -> Any:
        answers = ctx.input_responses or {}
        if not requests.keys() <= answers.keys() or ctx.request_state != state:
            return required(requests, state)
        said = "; ".join(in_words(answers[key]) for key in requests)
        return f"state-ok {said}" if state else f"Hello, {said}!"

    name = f"test_input_required_result_{short}"
    words = f"Asks, in rounds: {', '.join(requests)}."
    server.add_tool(tool, name=name, description=words, structured_output=False)


def add_changing_tools(server: MCPServer) -> None:
    """Tools that change the lists and tell those who listen (SEP-2575)."""

    @server.tool(description="Adds a tool, takes it away, tells.")
    async def test_trigger_tool_change(ctx: Context) -> str:
        add_plain(server, "test_passing_tool", "here")
        server.remove_tool("test_passing_tool")
        await ctx.notify_tools_changed()
        return "changed"

    @server.tool(description="Adds a prompt, takes it away, tells.")
    async def test_trigger_prompt_change(ctx: Context) -> str:
        passing = Prompt.from_function(lambda: "here", name="passing", description="Passing.")
        server.add_prompt(passing)
        server.remove_prompt("passing")
        await ctx.notify_prompts_changed()
        return "changed"


def add_tools(server: MCPServer) -> None:
    add_content_tools(server)
    add_ordinary_tools(server)
    add_asking_tools(server)
    add_round_tools(server)
    add_changing_tools(server)

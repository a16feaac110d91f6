"""Tools, results and sign-ins as text for a terminal and as JSON for programs; tokens are in
neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcplatch.client.credential import Credential
from mcplatch.client.terminal import plain, plain_lines

if TYPE_CHECKING:
    from mcp.types import CallToolResult, Tool


def tool_lines(tools: list[Tool]) -> list[str]:
    """One block a tool: its name with its arguments, and what it says it does."""
    lines: list[str] = []
    for tool in tools:
        lines.append(f"{plain(tool.name)}({_arguments(tool)})")
        if tool.description:
            lines += [f"    {line}" for line in plain_lines(tool.description.strip()).split("\n")]
    return lines or ["The server offers no tools."]


def tool_json(tools: list[Tool]) -> list[dict[str, Any]]:
    """The tools as the server described them."""
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def result_lines(result: CallToolResult) -> list[str]:
    """The text of a result; what is no text is named with its size."""
    lines: list[str] = []
    for block in result.content:
        text = getattr(block, "text", None)
        if isinstance(text, str):
            lines += plain_lines(text).split("\n")
            continue
        kind = plain(str(getattr(block, "mime_type", None) or block.type))
        data = getattr(block, "data", None)
        size = f", {len(data) * 3 // 4} bytes" if isinstance(data, str) else ""
        lines.append(f"[{kind}{size}; --json shows it]")
    return lines or ["(no content)"]


def result_json(result: CallToolResult) -> dict[str, Any]:
    """The result as the server sent it."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def sign_in_lines(held: Credential, *, now: int) -> list[str]:
    """One sign-in for a person."""
    lines = [
        held.server_url,
        f"  sign-in  {held.issuer}",
        f"  may      {' '.join(held.scope) or '(the server did not say)'}",
        f"  token    {token_state(held, now=now)}",
    ]
    return lines if held.account == "default" else [*lines, f"  account  {held.account}"]


def sign_in_json(held: Credential, *, now: int) -> dict[str, Any]:
    """One sign-in for a program."""
    return {
        "server": held.server_url,
        "account": held.account,
        "issuer": held.issuer,
        "resource": held.resource,
        "client_id": held.client_id,
        "scope": list(held.scope),
        "signed_in_at": held.sign_in_at,
        "expires_at": held.expires_at,
        "renews": held.refresh_token is not None,
        "usable": held.refresh_token is not None or held.is_fresh(now),
    }


def token_state(held: Credential, *, now: int) -> str:
    """How long it is good for, in words."""
    renews = ", renews by itself" if held.refresh_token else ""
    if held.expires_at is None:
        return f"good until the server refuses it{renews}"
    left = held.expires_at - now
    if left > 0:
        return f"good for {_span(left)}{renews}"
    return "ended, renews at the next use" if renews else "ended: sign in again"


def _span(seconds: int) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}s"
    return f"{seconds} seconds"


def _arguments(tool: Tool) -> str:
    schema = tool.input_schema or {}
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return ""
    needed = required if isinstance(required, list) else []
    return ", ".join(plain(name) + ("" if name in needed else "?") for name in properties)

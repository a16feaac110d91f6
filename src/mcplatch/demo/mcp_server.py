"""The demonstration's MCP server: four tools on the official SDK, which knows nothing of OAuth.

What protects it is put around it from outside (resource_server/); only `admin-action` asks who
is calling, the way any tool of the SDK may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from mcplatch.demo.tools.arithmetic import written
from mcplatch.demo.tools.calculator import calculate
from mcplatch.demo.tools.clock import TimeAnswer, time_in
from mcplatch.demo.tools.mistake import Mistake
from mcplatch.demo.tools.weather import WeatherAnswer, weather_in
from mcplatch.moment import clock

Answer = TypeVar("Answer")

USER = "user"
ADMIN = "admin"
TOOLS: dict[str, str] = {
    "get_time": "Tell the time of day in any time zone",
    "calculator": "Work out an arithmetic expression",
    "get_weather": "Tell the (simulated) weather of a city",
    "admin-action": "Do something only an administrator may do (it changes nothing here)",
}
SCOPES: dict[str, str] = {
    "get_time": USER,
    "calculator": USER,
    "get_weather": USER,
    "admin-action": ADMIN,
}
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)


def build(now: Callable[[], int] = clock) -> MCPServer:
    """The MCP server with its tools; `now` gives Unix seconds."""
    server = MCPServer(
        "mcplatch demonstration",
        instructions="Tools of a demonstration of OAuth for MCP. admin-action needs scope admin.",
        log_level="WARNING",
    )

    @server.tool(description=TOOLS["get_time"], annotations=_READS)
    def get_time(zone: str = "UTC") -> TimeAnswer:
        return _answered(time_in(zone, now()))

    @server.tool(description=TOOLS["calculator"], annotations=_READS)
    def calculator(expression: str) -> dict[str, str | int | float]:
        value = _answered(calculate(expression))
        return {"expression": expression, "result": value, "text": written(value)}

    @server.tool(description=TOOLS["get_weather"], annotations=_READS)
    def get_weather(city: str, country: str = "US") -> WeatherAnswer:
        return _answered(weather_in(city, country))

    @server.tool(name="admin-action", description=TOOLS["admin-action"], annotations=_CHANGES)
    def admin_action() -> dict[str, str]:
        token = get_access_token()
        if token is None or ADMIN not in token.scopes:
            raise ToolError("This tool runs only for a caller whose token carries scope admin.")
        return {"done": "nothing was changed", "allowed_by": token.subject or token.client_id}

    return server


def _answered(answer: Answer | Mistake) -> Answer:
    """The answer, or the tool error that the SDK shows to the model."""
    if isinstance(answer, Mistake):
        raise ToolError(answer.sentence)
    return answer

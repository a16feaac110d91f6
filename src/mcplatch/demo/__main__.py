"""python -m mcplatch.demo: the demonstration's MCP server, as its own package name was."""

from __future__ import annotations

from mcplatch.demo.commands import resource_server

if __name__ == "__main__":
    resource_server(prog_name="python -m mcplatch.demo")

"""OAuth 2.1 for MCP servers: the authorization server, the guard of a resource server, the client."""

from __future__ import annotations

__version__ = "0.1.0"

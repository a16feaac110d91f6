"""How the guard is put on each kind of server; the only place that knows their names (MCP SDKs)."""

from __future__ import annotations

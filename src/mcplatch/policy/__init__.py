"""Which scope an operation needs and whether a token has it; pure rules (MCP authorization)."""

from __future__ import annotations

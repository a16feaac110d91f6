"""fastmcp's in-memory authorization server, registration and revocation on."""

from __future__ import annotations

import os

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions

port = int(os.environ["BENCH_PORT"])
provider = InMemoryOAuthProvider(
    base_url=f"http://localhost:{port}",
    client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=["user"]),
    revocation_options=RevocationOptions(enabled=True),
)
app = FastMCP("bench", auth=provider).http_app()
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)

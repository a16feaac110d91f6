"""One MCP tool, plain or protected: BENCH_APP says by which SDK and by which guard.

mcp            the official SDK, unprotected
mcp+mcplatch   the same inside our guard, tokens verified locally against BENCH_JWKS
fastmcp        fastmcp, unprotected
fastmcp+jwt    the same with its own JWTVerifier over the same key
"""

from __future__ import annotations

import json
import os

import uvicorn
from starlette.types import ASGIApp

port = int(os.environ["BENCH_PORT"])
issuer = os.environ["BENCH_ISSUER"]
resource = os.environ["BENCH_RESOURCE"]
jwks = json.loads(os.environ["BENCH_JWKS"])


def sdk_app() -> ASGIApp:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("bench", log_level="WARNING")

    @server.tool()
    def echo(text: str) -> str:
        return text

    return server.streamable_http_app(stateless_http=True, json_response=True)


def fastmcp_app(*, protected: bool) -> ASGIApp:
    from fastmcp import FastMCP
    from fastmcp.server.auth.providers.jwt import JWTVerifier

    verifier = None
    if protected:
        from joserfc.jwk import ECKey

        public = ECKey.import_key(jwks["keys"][0]).as_pem(private=False).decode()
        verifier = JWTVerifier(
            public_key=public, issuer=issuer, audience=resource, algorithm="ES256"
        )
    server: FastMCP = FastMCP("bench", auth=verifier)

    @server.tool
    def echo(text: str) -> str:
        return text

    return server.http_app(stateless_http=True, json_response=True)


def build(which: str) -> ASGIApp:
    match which:
        case "mcp":
            return sdk_app()
        case "mcp+mcplatch":
            from bench.servers.our_guard import guarded

            return guarded(sdk_app(), issuer=issuer, resource=resource, jwks=jwks)
        case "fastmcp":
            return fastmcp_app(protected=False)
        case "fastmcp+jwt":
            return fastmcp_app(protected=True)
    raise SystemExit(f"BENCH_APP={which} is not known")


app = build(os.environ["BENCH_APP"])
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)

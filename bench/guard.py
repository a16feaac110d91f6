"""What protection adds to an MCP `tools/call`: each guarded server paired with itself unguarded."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from bench.machine import Server, free_port, interpreter, start
from bench.operations import Samples, expect
from bench.peers import CONCURRENCY
from bench.wire import Line

VERSION = "2026-07-28"
ISSUER = "http://localhost:9000"
RESOURCE = "http://localhost:8001/mcp"
PAIRS = (("mcp", "mcp+mcplatch"), ("fastmcp", "fastmcp+jwt"))


@dataclass(slots=True)
class Tokens:
    """A signing key of an issuer, and tokens made with it before the clock runs."""

    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False) | self._names()]}

    def new(self) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "user-ada",
            "aud": RESOURCE,
            "client_id": "bench",
            "grant_id": "bench-grant",
            "scope": "user",
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_urlsafe(16),
        }
        header = {"alg": "ES256", "typ": "at+jwt", "kid": "bench"}
        return jwt.encode(header, claims, self.key)

    def _names(self) -> dict[str, str]:
        return {"kid": "bench", "alg": "ES256", "use": "sig"}


@dataclass(slots=True)
class ToolBed:
    """One MCP server that runs, with its samples."""

    name: str
    server: Server
    lines: list[Line]
    samples: Samples = field(default_factory=dict)


def launch(name: str, tokens: Tokens, logs: Path) -> ToolBed:
    port = free_port()
    server = start(
        name,
        [interpreter(), "-m", "bench.servers.mcp_tool"],
        port,
        logs / f"tool-{name}.log",
        BENCH_PORT=str(port),
        BENCH_APP=name,
        BENCH_ISSUER=ISSUER,
        BENCH_RESOURCE=RESOURCE,
        BENCH_JWKS=json.dumps(tokens.jwks()),
    )
    return ToolBed(name, server, [Line(port) for _ in range(CONCURRENCY)])


def call(tool: str) -> tuple[bytes, dict[str, str]]:
    """A self-contained `tools/call` of the stateless protocol, and the headers that mirror it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": tool, "arguments": {"text": "hello"}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call", "mcp-name": tool}
    return json.dumps(body).encode(), headers


async def one_call(line: Line, token: str) -> None:
    body, headers = call("echo")
    if token:
        headers["authorization"] = f"Bearer {token}"
    answer = expect(await line.post_json("/mcp", body, headers), 200)
    if b'"hello"' not in answer.body:
        raise RuntimeError(f"the tool did not answer: {answer.body[:300]!r}")


async def batch(bed: ToolBed, label: str, tokens: list[str]) -> float:
    """One call a token, 16 at a time; notes and returns the server's CPU milliseconds a call."""
    left = iter(tokens)

    async def work(line: Line) -> None:
        for token in left:
            await one_call(line, token)

    for line in bed.lines:
        await line.close()
        await one_call(line, tokens[0])
    before = bed.server.cpu()
    await asyncio.gather(*map(work, bed.lines))
    spent = (bed.server.cpu() - before) / len(tokens) * 1000
    bed.samples.setdefault(label, []).append(spent)
    return spent


@dataclass(frozen=True, slots=True)
class Added:
    """CPU milliseconds a call: unprotected, and what protection adds (medians of paired rounds)."""

    name: str
    plain: float
    seen_before: float
    first_seen: float


async def measure(logs: Path, rounds: int, count: int, names: set[str]) -> list[Added]:
    """Pairs of servers, alternating; `count` calls a batch; the first two rounds only warm up."""
    tokens = Tokens()
    beds: dict[str, ToolBed] = {}
    try:
        for name in [name for pair in PAIRS for name in pair if name in names]:
            beds[name] = launch(name, tokens, logs)
        pairs = [pair for pair in PAIRS if set(pair) <= names]
        for turn in range(rounds + 2):
            for plain, guarded in pairs:
                await _pair(beds[plain], beds[guarded], tokens, count, forwards=turn % 2 == 0)
        return [_added(beds[plain], beds[guarded]) for plain, guarded in pairs]
    finally:
        for bed in beds.values():
            for line in bed.lines:
                await line.close()
            bed.server.stop()


async def _pair(
    plain: ToolBed, guarded: ToolBed, tokens: Tokens, count: int, *, forwards: bool
) -> None:
    known = tokens.new()
    fresh = [tokens.new() for _ in range(count)]
    steps = [
        (plain, "plain", [""] * count),
        (guarded, "seen before", [known] * count),
        (guarded, "first seen", fresh),
    ]
    for bed, label, given in steps if forwards else reversed(steps):
        await batch(bed, label, given)


def _added(plain: ToolBed, guarded: ToolBed) -> Added:
    base = plain.samples["plain"][2:]

    def over(label: str) -> float:
        pairs = zip(guarded.samples[label][2:], base, strict=True)
        return median([more - less for more, less in pairs])

    return Added(guarded.name, median(base), over("seen before"), over("first seen"))

"""`make bench`: one run, rounds interleaved, servers on one core, the load on the other."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench import guard, ours, peers
from bench.machine import ROOT, cores, interpreter
from bench.operations import Bed, one_round, ready
from bench.peers import CONCURRENCY
from bench.report import (
    WARM_UP,
    Column,
    column,
    guards_table,
    markdown,
    misses,
    servers_table,
)

PAGE = ROOT / "docs" / "reference" / "performance.md"
RESULTS = ROOT / "bench" / "results"
MEANING = (
    "CPU is user plus system time of the server's whole process tree; numbers are medians. "
    "Only ratios within one run mean something. The signed-in flow is authorization, consent "
    "where the server asks for it (neither fastmcp nor the example does) and the code exchange, "
    "without the sign-in and its password hash. Only mcplatch keeps what it answers: SQLite, "
    "write-ahead log, `synchronous=FULL`, an audit row with every decision."
)


def main() -> int:
    """Measure, print the table, keep it under bench/results; 1 when a must is missed."""
    asked = _arguments()
    console = Console()
    os.sched_setaffinity(0, {cores()[1]})
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mcplatch-bench-") as made:
        logs = Path(made)
        try:
            columns = asyncio.run(_servers(asked, logs, console)) if asked.what != "guard" else []
            added = asyncio.run(_guards(asked, logs, console)) if asked.what != "server" else []
        except BaseException:
            _show_logs(logs, console)
            raise
    about = _about(asked, time.monotonic() - began)
    text = markdown(columns, added, about)
    _show(console, about, columns, added)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / time.strftime("%Y-%m-%dT%H%M%S.md")).write_text(text)
    if asked.page:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text)
        console.print(f"written to {PAGE.relative_to(ROOT)}")
    return 1 if misses(columns, added) else 0


def _show(
    console: Console, about: list[str], columns: list[Column], added: list[guard.Added]
) -> None:
    console.print("\n".join(about), style="dim")
    tables = [servers_table(columns)] if columns else []
    for rows in [*tables, guards_table(added)] if added else tables:
        table = Table(box=box.SIMPLE, pad_edge=False)
        for number, name in enumerate(rows[0]):
            table.add_column(name, justify="left" if number == 0 else "right")
        for row in rows[1:]:
            table.add_row(*row)
        console.print(table)
    for missed in misses(columns, added):
        console.print(f"[red]missed[/]  {missed}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under 90 seconds")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.name} for the docs too")
    parser.add_argument("--what", choices=("all", "server", "guard"), default="all")
    parser.add_argument("--alone", action="store_true", help="only this project's server")
    asked = parser.parse_args()
    asked.rounds, asked.count = (5, 70) if asked.quick else (8, 180)
    asked.calls = 160 if asked.quick else 240
    return asked


def _chosen(asked: argparse.Namespace, console: Console) -> list[peers.Peer]:
    chosen = [ours.authorization_server()]
    if asked.alone:
        return chosen
    modules = peers.npm_modules()
    if modules is None:
        console.print("[yellow]no oidc-provider: run npm ci in tests/outside, or set BENCH_NPM")
    else:
        chosen.append(peers.oidc_provider(modules))
    chosen.append(peers.python_peer(peers.FASTMCP, "fastmcp", "fastmcp_memory"))
    chosen.append(peers.python_peer(peers.EXAMPLE, "mcp", "mcp_example", refreshes=False))
    return chosen


async def _servers(asked: argparse.Namespace, logs: Path, console: Console) -> list[Column]:
    beds: list[Bed] = []
    try:
        for peer in _chosen(asked, console):
            beds.append(Bed(peer, peer.launch(logs)))  # noqa: PERF401 - so that the rest is stopped
        async with ready(beds):
            for turn in range(WARM_UP + asked.rounds):
                console.print(
                    f"[dim]authorization servers, round {turn - WARM_UP + 1} of {asked.rounds}"
                )
                for bed in beds if turn % 2 == 0 else reversed(beds):
                    await one_round(bed, asked.count)
            return [_column(bed) for bed in beds]
    finally:
        for bed in beds:
            bed.server.stop()


async def _guards(asked: argparse.Namespace, logs: Path, console: Console) -> list[guard.Added]:
    console.print("[dim]guards")
    names = {name for pair in guard.PAIRS for name in pair}
    if asked.alone:
        names = set(guard.PAIRS[0])
    return await guard.measure(logs, asked.rounds * 2, asked.calls, names)


def _column(bed: Bed) -> Column:
    server = bed.server
    return column(bed.peer, server.ready_after, server.memory_mib(), bed.samples)


def _about(asked: argparse.Namespace, seconds: float) -> list[str]:
    python = subprocess.run(
        [interpreter(), "-c", "import platform; print(platform.python_version())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    run = (
        f"`make bench` on {time.strftime('%Y-%m-%d')}: {platform.system()} {platform.machine()}, "
        f"{len(os.sched_getaffinity(os.getppid()))} cores, CPython {python} for every Python "
        f"server, concurrency {CONCURRENCY}, {asked.rounds} interleaved rounds of {asked.count} "
        f"operations after {WARM_UP} to warm up, {seconds:.0f} s in all."
    )
    return [run, "", MEANING]


def _show_logs(logs: Path, console: Console) -> None:
    for log in sorted(logs.glob("*.log")):
        tail = log.read_text(errors="replace")[-2000:].strip()
        if tail:
            console.print(f"[bold]{log.name}[/]", tail, sep="\n", markup=True)


if __name__ == "__main__":
    sys.exit(main())

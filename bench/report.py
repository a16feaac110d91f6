"""The table of a run: medians, ratios to the peers, and whether the aims are met."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from bench.guard import Added
from bench.peers import FASTMCP, OIDC, OURS, Peer

WARM_UP = 3
# Milliseconds that a guard may add on the machine the aims were set on, where an unprotected call
# to the official SDK costs QUIET_CALL; a slower or busier machine is allowed as much more.
GUARD_MUST = (0.060, 0.200)
QUIET_CALL = 0.30


# What an operation may cost at most, beside the same at npm oidc-provider in memory.
MOST = {
    "metadata": 0.5,
    "JWKS": 0.5,
    "register": 0.7,
    "signed-in flow": 0.4,
    "code exchange": 0.6,
    "refresh": 0.6,
    "introspect": 0.7,
    "revoke": 0.7,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One server's medians, CPU milliseconds an operation."""

    name: str
    version: str
    keeps: str
    ready_after: float
    memory_mib: float
    medians: dict[str, float]


def column(
    peer: Peer, ready_after: float, memory_mib: float, samples: dict[str, list[float]]
) -> Column:
    """The medians of a server's rounds, those that warm up left out."""
    middle = {operation: median(taken[WARM_UP:]) for operation, taken in samples.items()}
    return Column(peer.name, peer.version, peer.keeps, ready_after, memory_mib, middle)


def markdown(columns: list[Column], added: list[Added], about: list[str]) -> str:
    """The whole report as Markdown: conditions, the two tables, the aims that are missed."""
    lines = ["# Performance", "", *about, ""]
    if columns:
        lines += ["## Authorization servers: CPU milliseconds an operation", ""]
        lines += _lines(servers_table(columns))
    if added:
        lines += ["", "## Protecting an MCP `tools/call`: CPU milliseconds a call", ""]
        lines += _lines(guards_table(added))
    missed = misses(columns, added)
    if missed:
        lines += ["", "## Missed", "", *[f"- {one}" for one in missed]]
    return "\n".join(lines) + "\n"


def misses(columns: list[Column], added: list[Added]) -> list[str]:
    """One sentence for each must that this run does not meet."""
    ours, node = _named(columns, OURS), _named(columns, OIDC)
    missed = []
    for operation, most in MOST.items() if ours and node else ():
        ratio = _ratio(ours, node, operation)
        if ratio is not None and ratio > most:
            missed.append(f"{operation}: {ratio:.2f}× {OIDC}, at most {most}×")
    for one in added:
        if OURS in one.name:
            missed += _guard_misses(one)
    return missed


def _guard_misses(one: Added) -> list[str]:
    said = zip(("seen before", "first seen"), (one.seen_before, one.first_seen), strict=True)
    return [
        f"guard, token {label}: {value * 1000:.0f} µs, at most {most * 1000:.0f} here"
        for (label, value), most in zip(said, _allowed(one.plain), strict=True)
        if value > most
    ]


def _allowed(plain: float) -> list[float]:
    """What the guard may add where an unprotected call costs `plain` milliseconds."""
    slower = max(1.0, plain / QUIET_CALL)
    return [most * slower for most in GUARD_MUST]


def servers_table(columns: list[Column]) -> list[list[str]]:
    """Heading and rows: operations, milliseconds a server, our ratios and what they must be."""
    ours, node, fast = _named(columns, OURS), _named(columns, OIDC), _named(columns, FASTMCP)
    compared = ours is not None and len(columns) > 1
    head = ["CPU ms", *[one.name for one in columns]]
    kept = ["", *[f"{one.version}, {one.keeps}" for one in columns]]
    if compared:
        head += [f"÷ {OIDC}", "must", f"÷ {FASTMCP}"]
        kept += ["", "", ""]
    rows = [head, kept]
    for operation, most in MOST.items():
        row = [operation, *[_number(one.medians.get(operation)) for one in columns]]
        if compared:
            ratio = _ratio(ours, node, operation)
            mark = "" if ratio is None else (" ✓" if ratio <= most else " ✗")
            row += [_times(ratio) + mark, f"{most}×"]
            row.append(_times(_ratio(ours, fast, operation)))
        rows.append(row)
    rest = [""] * (len(head) - len(columns) - 1)
    rows.append(["start, s", *[f"{one.ready_after:.2f}" for one in columns], *rest])
    rows.append(["memory, MiB", *[f"{one.memory_mib:.0f}" for one in columns], *rest])
    return rows


def guards_table(added: list[Added]) -> list[list[str]]:
    """Heading and rows: what protection adds, and what ours may add on a machine like this."""
    rows = [["CPU ms a call", "unprotected", "+ token seen before", "+ token first seen"]]
    for one in added:
        cells = (one.plain, one.seen_before, one.first_seen)
        rows.append([one.name, *[f"{value:.3f}" for value in cells]])
        if OURS in one.name:
            rows.append(["at most", "", *[f"{most:.3f}" for most in _allowed(one.plain)]])
    return rows


def _lines(table: list[list[str]]) -> list[str]:
    written = [table[0], ["---"] * len(table[0]), *table[1:]]
    return ["| " + " | ".join(row) + " |" for row in written]


def _named(columns: list[Column], name: str) -> Column | None:
    return next((one for one in columns if one.name.startswith(name)), None)


def _ratio(ours: Column | None, other: Column | None, operation: str) -> float | None:
    if ours is None or other is None:
        return None
    mine, theirs = ours.medians.get(operation), other.medians.get(operation)
    return mine / theirs if mine is not None and theirs else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}×"

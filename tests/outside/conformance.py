"""Runs the official MCP conformance suite case by case and writes docs/reference/conformance.md.

Modes: `client` (our client against the suite's servers) and `authorization` (the suite against our
authorization server). `python -m tests.outside.conformance` measures; `--write` writes the page too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from tests.outside.form_browser import Person, deliver, visit
from tests.outside.stack import Target, demonstration, get_json
from tests.outside.toolbox import (
    CONFORMANCE,
    HERE,
    MODULES,
    NODE,
    ROOT,
    Ran,
    install,
    run,
    surroundings,
    unused_port,
)

PAGE = ROOT / "docs" / "reference" / "conformance.md"
EXPECTED = HERE / "expected-failures.toml"
CLIENT_COMMAND = f"{sys.executable} -m mcplatch.client.conformance"
WIRES = ("2025-11-25", "2026-07-28")
BAD = ("FAILURE", "WARNING")
ORDER = ("FAILURE", "WARNING", "SKIPPED", "SUCCESS", "INFO")
AT_ONCE = 2  # more than two at a time and the suite's own time limits are what fails


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One scenario on one wire; `wire` is "extension" where the suite does not let us choose one."""

    mode: str
    scenario: str
    wire: str

    def __str__(self) -> str:
        return f"{self.mode}:{self.scenario}:{self.wire}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the suite said of one case: the checks it made and the ids of those that failed."""

    case: Case
    checks: int
    failing: tuple[str, ...]
    said: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """A failure we know of, the ids of the checks that fail, and why."""

    failing: tuple[str, ...]
    because: str


def wires_of(versions: str) -> tuple[str, ...]:
    """Give the wires to run a scenario on, from the suite's own list of versions."""
    named = [version.strip() for version in versions.split(",")]
    return tuple(version for version in WIRES if version in named) or (named[-1],)


def list_cases(env: Mapping[str, str]) -> tuple[Case, ...]:
    """Ask the suite what it has: its `auth/` client scenarios and its authorization scenarios."""
    listed = run([str(NODE), str(CONFORMANCE), "list"], dict(env))
    cases, mode = [], ""
    for line in listed.out.splitlines():
        found = re.fullmatch(r"\s+- (\S+) \[([^]]+)\]", line)
        if found is None:
            mode = line.split(" ")[0].lower()
        elif mode == "authorization" or (mode == "client" and found[1].startswith("auth/")):
            cases += [Case(mode, found[1], wire) for wire in wires_of(found[2])]
    assert cases, f"the suite listed nothing:\n{listed.out}{listed.err}"
    return tuple(cases)


def judge(case: Case, results: Path, ran: Ran) -> Judged:
    """Read what the suite wrote down; an exit code that no failed check explains is a failure too."""
    checks: dict[str, str] = {}
    for written in results.rglob("checks.json"):
        if case.scenario not in str(written.relative_to(results)):
            continue
        for check in json.loads(written.read_text(encoding="utf-8")):
            worst = min(check["status"], checks.get(check["id"], "INFO"), key=ORDER.index)
            checks[check["id"]] = worst
    failing = sorted(name for name, status in checks.items() if status in BAD)
    if not failing and ran.code != 0:
        failing = ["exit-code"]
    judged = [name for name, status in checks.items() if status not in {"INFO", "SKIPPED"}]
    if not judged and not failing:
        failing = ["nothing-was-checked"]
    return Judged(case, len(judged), tuple(failing), f"{ran.out[-6000:]}\n{ran.err[-3000:]}")


def run_client(case: Case, env: Mapping[str, str], command: str = CLIENT_COMMAND) -> Judged:
    """Let the suite start our client against its own authorization server and MCP server."""
    with tempfile.TemporaryDirectory() as results:
        told = ["client", "--command", command, "--scenario", case.scenario]
        told += ["--timeout", "60000", "-o", results]
        if case.wire != "extension":
            told += ["--spec-version", case.wire]
        ran = run([str(NODE), str(CONFORMANCE), *told], dict(env), seconds=120)
        return judge(case, Path(results), ran)


def run_authorization(cases: list[Case], target: Target, env: Mapping[str, str]) -> list[Judged]:
    """Let the suite walk our authorization server; the form browser is its person.

    All scenarios of one wire in one run: the later ones use what the first one found out.
    """
    port = unused_port()
    client_id = register(target.issuer, f"http://127.0.0.1:{port}/callback")
    with tempfile.TemporaryDirectory() as results:
        told = ["authorization", "--url", target.issuer, "--client-id", client_id]
        told += ["--resource", target.resource, "-p", str(port)]
        told += ["--spec-version", cases[0].wire, "-o", results]
        ran = run_with_person(told, env, target)
        return [judge(case, Path(results), Ran(0, ran.out, "")) for case in cases]


def run_with_person(told: list[str], env: Mapping[str, str], target: Target) -> Ran:
    """Run the suite and walk the first authorization URL that it prints."""
    log = Path(env["HOME"]) / "authorization.log"
    with log.open("w+") as out:
        process = subprocess.Popen(
            [str(NODE), str(CONFORMANCE), *told],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        deadline, walked = time.monotonic() + 60, False
        while process.poll() is None and time.monotonic() < deadline:
            asked = re.search(r"^http\S+response_type=code\S+$", log.read_text(), re.MULTILINE)
            if asked and not walked:
                walked = True
                outcome = visit(asked[0], Person(target.username, target.password))
                if outcome.redirect:
                    deliver(outcome.redirect)
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
    return Ran(process.wait(), log.read_text(), "")


def register(issuer: str, redirect_uri: str) -> str:
    """Register a public client as the suite expects to find one (RFC 7591)."""
    found = get_json(f"{issuer.rstrip('/')}/.well-known/oauth-authorization-server")
    wanted = {
        "client_name": "conformance suite",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
    }
    request = Request(
        found["registration_endpoint"],
        json.dumps(wanted).encode(),
        {"content-type": "application/json"},
    )
    with urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["client_id"])


def measure(target: Target, folder: Path) -> dict[Case, Judged]:
    """Run every case, two at a time, each with a home of its own."""
    cases = list_cases(surroundings(folder))
    by_wire: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        alone = case.scenario if case.mode == "client" else ""
        by_wire.setdefault((case.wire, alone), []).append(case)

    def run_some(some: list[Case]) -> list[Judged]:
        home = Path(tempfile.mkdtemp(dir=folder))
        if some[0].mode == "client":
            return [run_client(some[0], surroundings(home))]
        return run_authorization(some, target, surroundings(home))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        judged = {one.case: one for some in pool.map(run_some, by_wire.values()) for one in some}
    return {case: judged[case] for case in cases}


def read_expected(path: Path = EXPECTED) -> dict[Case, Expected]:
    """Read the failures we know of; each must say why."""
    known: dict[Case, Expected] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("expected", []):
        for wire in entry["wires"]:
            case = Case(entry["mode"], entry["scenario"], wire)
            known[case] = Expected(tuple(sorted(entry["failing"])), entry["because"])
    return known


def complaint(judged: Judged, known: Mapping[Case, Expected]) -> str:
    """Say what is wrong with this result: an unknown failure, or a known one that is gone."""
    expected = known.get(judged.case)
    wanted = expected.failing if expected else ()
    if judged.failing == wanted:
        return ""
    new = sorted(set(judged.failing) - set(wanted))
    gone = sorted(set(wanted) - set(judged.failing))
    return f"{judged.case}: fails anew {new}, no longer fails {gone}\n{judged.said}"


def version() -> str:
    package = json.loads((MODULES / "@modelcontextprotocol/conformance/package.json").read_text())
    return str(package["version"])


def mark_of(judged: Judged | None) -> str:
    if judged is None:
        return ""
    good = judged.checks - len(judged.failing)
    return f"{'FAILS' if judged.failing else 'passes'} {good}/{judged.checks}"


def score(results: Iterable[Judged]) -> str:
    scenarios: dict[str, bool] = {}
    for judged in results:
        name = judged.case.scenario
        scenarios[name] = scenarios.get(name, True) and not judged.failing
    return f"{sum(scenarios.values())} of {len(scenarios)}"


def table(results: list[Judged]) -> list[str]:
    """One row a scenario, one column a wire; "passes 18/18" counts the suite's checks by id."""
    by_case = {judged.case: judged for judged in results}
    wires = sorted({judged.case.wire for judged in results})
    names = list(dict.fromkeys(judged.case.scenario for judged in results))
    lines = ["| scenario | " + " | ".join(wires) + " |", "|---" * (len(wires) + 1) + "|"]
    for name in names:
        cells = [mark_of(by_case.get(Case(results[0].case.mode, name, wire))) for wire in wires]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return lines


def render(results: list[Judged], known: Mapping[Case, Expected]) -> str:
    """Write the page docs/reference/conformance.md from what was measured."""
    lines = [
        "# Conformance",
        "",
        "Generated by `python -m tests.outside.conformance --write`; do not edit by hand.",
        "",
        f"Suite: `@modelcontextprotocol/conformance` {version()}. A warning counts as a failure.",
        "A scenario passes when it passes on every wire that it exists on.",
    ]
    titles = {"client": "Client, `auth/` scenarios", "authorization": "Authorization server"}
    for mode, title in titles.items():
        some = [judged for judged in results if judged.case.mode == mode]
        if some:
            lines += ["", f"## {title}: {score(some)} scenarios pass", "", *table(some)]
    failed = [judged for judged in results if judged.failing]
    if failed:
        lines += ["", "## What fails, and why", ""]
    for judged in failed:
        why = known.get(judged.case)
        reason = why.because if why else "not explained: this is a fault of ours"
        names = ", ".join(f"`{name}`" for name in judged.failing)
        lines.append(f"- `{judged.case.scenario}` ({judged.case.wire}): {names}. {reason}")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page")
    given = parser.parse_args()
    install()
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as target:
        results = list(measure(target, Path(folder)).values())
    known = read_expected()
    page = render(results, known)
    print(page)
    if given.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    complaints = [text for text in (complaint(judged, known) for judged in results) if text]
    print("\n\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

"""The official MCP conformance suite, case by case: run it, and read what it says.

Modes: `client` (our client against the suite's servers), `authorization` (the suite against our
authorization server) and `server` (the suite against an MCP server behind our guard).
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from tests.outside.form_browser import Person, deliver, visit
from tests.outside.stack import Target, get_json
from tests.outside.toolbox import CONFORMANCE, HERE, NODE, Ran, run, unused_port

EXPECTED = HERE / "expected-failures.toml"
CLIENT_COMMAND = shlex.join([sys.executable, "-m", "mcplatch.client.conformance"])
WIRES = ("2025-11-25", "2026-07-28")
PREFIX = {"client": "", "authorization": "authorization-server-", "server": "server-"}
BAD = ("FAILURE", "WARNING")
ORDER = ("FAILURE", "WARNING", "SKIPPED", "SUCCESS", "INFO")


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


def list_server_cases() -> tuple[Case, ...]:
    """Read what each revision requires of a server, from the suite's frozen lists."""
    cases = []
    for wire in WIRES:
        text = (CONFORMANCE.parent.parent / "requirements" / f"{wire}.yaml").read_text()
        required = re.search(r"^server:\n((?:  - \S+\n)+)", text, re.MULTILINE)
        assert required, text
        names = re.findall(r"- (\S+)", required[1])
        cases += [Case("server", name, wire) for name in names]
    return tuple(cases)


def judge(case: Case, results: Path, ran: Ran) -> Judged:
    """Read what the suite wrote down; an exit code that no failed check explains is a failure too."""
    checks: dict[str, str] = {}
    for written in results.rglob("checks.json"):
        folder = str(written.parent.relative_to(results))
        if not re.fullmatch(re.escape(PREFIX[case.mode] + case.scenario) + r"-\d{4}-.*", folder):
            continue
        for check in json.loads(written.read_text(encoding="utf-8")):
            worst = min(check["status"], checks.get(check["id"], "INFO"), key=ORDER.index)
            checks[check["id"]] = worst
    failing = sorted(name for name, status in checks.items() if status in BAD)
    if not failing and ran.code != 0:
        failing = ["exit-code"]
    judged = [name for name, status in checks.items() if status not in {"INFO", "SKIPPED"}]
    if not checks:
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


def run_server(url: str, wire: str, env: Mapping[str, str]) -> list[Judged]:
    """Let the suite judge the MCP server at `url` by what the revision `wire` requires of it."""
    with tempfile.TemporaryDirectory() as results:
        told = ["server", "--url", url, "--requirements", wire, "-o", results]
        ran = run([str(NODE), str(CONFORMANCE), *told], dict(env), seconds=200)
        cases = [case for case in list_server_cases() if case.wire == wire]
        return [judge(case, Path(results), Ran(0, ran.out, ran.err)) for case in cases]


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

"""Measures everything the official suite has for us; `--write` writes docs/reference/conformance.md.

`python -m tests.outside.conformance_measure [--write]`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.outside.conformance import (
    WIRES,
    Case,
    Judged,
    complaint,
    list_cases,
    read_expected,
    run_authorization,
    run_client,
    run_server,
)
from tests.outside.conformance_page import PAGE, render
from tests.outside.guarded import guarded
from tests.outside.stack import Target, demonstration
from tests.outside.toolbox import install, surroundings

AT_ONCE = 2  # more than two at a time and the suite's own time limits are what fails


def measure(target: Target, folder: Path) -> dict[Case, Judged]:
    """Run every client and authorization case, two at a time, each with a home of its own."""
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


def measure_server(url: str, folder: Path) -> dict[Case, Judged]:
    """Run every case that a revision requires of a server, on both wires."""
    judged = [one for wire in WIRES for one in run_server(url, wire, surroundings(folder))]
    return {one.case: one for one in judged}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the page")
    given = parser.parse_args()
    install()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with demonstration(folder) as target:
            results = measure(target, folder)
        with guarded(folder) as url:
            results |= measure_server(url, folder)
    known = read_expected()
    page = render(list(results.values()), known)
    print(page)
    if given.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
    complaints = [text for text in (complaint(one, known) for one in results.values()) if text]
    print("\n\n".join(complaints))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

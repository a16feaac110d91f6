"""The official MCP conformance suite: our client, our authorization server, our guard; needs npm."""

from __future__ import annotations

import pytest

from tests.outside import conformance
from tests.outside.conformance import Case, Judged
from tests.outside.conformance_measure import measure, measure_server
from tests.outside.conformance_page import PAGE, render
from tests.outside.guarded import bare, guarded
from tests.outside.stack import Target

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(
    programs: None, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> dict[Case, Judged]:
    """Everything the suite has for our client and our authorization server, measured once."""
    return measure(target, tmp_path_factory.mktemp("conformance"))


@pytest.fixture(scope="module")
def guarded_results(programs: None, tmp_path_factory: pytest.TempPathFactory) -> dict[Case, Judged]:
    """Everything the suite has for an MCP server, measured through our guard."""
    folder = tmp_path_factory.mktemp("guarded")
    with guarded(folder) as url:
        return measure_server(url, folder)


@pytest.mark.requirement("CL-1", "CL-2", "CL-3", "CL-6", "CL-7", "CL-20", "CL-26", "CL-30", "CL-32")
@pytest.mark.requirement("CL-34", "CL-35", "CL-56", "AS-1", "AS-7")
def test_nothing_fails_but_what_is_explained(results: dict[Case, Judged]) -> None:
    known = conformance.read_expected()
    complaints = [conformance.complaint(judged, known) for judged in results.values()]
    assert not any(complaints), "\n\n".join(filter(None, complaints))


def test_no_explanation_is_stale(results: dict[Case, Judged]) -> None:
    assert set(conformance.read_expected()) <= set(results)


@pytest.mark.requirement("RS-80", "RS-81", "RS-82", "RS-84", "RS-85", "RS-89")
def test_the_guard_takes_nothing_away(
    guarded_results: dict[Case, Judged], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every scenario says through the guard what it says of the same server without it."""
    folder = tmp_path_factory.mktemp("bare")
    with bare(folder) as url:
        without = measure_server(url, folder)
    through = {case: (one.checks, one.failing) for case, one in guarded_results.items()}
    assert through == {case: (one.checks, one.failing) for case, one in without.items()}
    assert not [one for one in guarded_results.values() if one.failing]


def test_the_page_says_what_was_measured(
    results: dict[Case, Judged], guarded_results: dict[Case, Judged]
) -> None:
    measured = [*results.values(), *guarded_results.values()]
    assert PAGE.read_text(encoding="utf-8") == render(measured, conformance.read_expected())

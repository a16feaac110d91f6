"""The official MCP conformance suite: our client and our authorization server; needs npm."""

from __future__ import annotations

import pytest

from tests.outside import conformance
from tests.outside.conformance import Case, Judged
from tests.outside.stack import Target

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results(
    programs: None, target: Target, tmp_path_factory: pytest.TempPathFactory
) -> dict[Case, Judged]:
    """Everything the suite has for us, measured once."""
    return conformance.measure(target, tmp_path_factory.mktemp("conformance"))


@pytest.mark.requirement("CL-1", "CL-2", "CL-3", "CL-6", "CL-7", "CL-20", "CL-26", "CL-30", "CL-32")
@pytest.mark.requirement("CL-34", "CL-35", "CL-56", "AS-1")
def test_nothing_fails_but_what_is_explained(results: dict[Case, Judged]) -> None:
    known = conformance.read_expected()
    complaints = [conformance.complaint(judged, known) for judged in results.values()]
    assert not any(complaints), "\n\n".join(filter(None, complaints))


def test_no_explanation_is_stale(results: dict[Case, Judged]) -> None:
    assert set(conformance.read_expected()) <= set(results)


def test_the_page_says_what_was_measured(results: dict[Case, Judged]) -> None:
    page = conformance.render(list(results.values()), conformance.read_expected())
    assert conformance.PAGE.read_text(encoding="utf-8") == page

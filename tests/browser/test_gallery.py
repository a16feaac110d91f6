"""Every page in a real Chromium: nothing for axe to find, no sideways scroll, no script (AS-28)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import ORIGIN, chromium, show_gallery
from tests.browser.gallery import GALLERY
from tests.browser.screenshots import LOOKS

pytestmark = pytest.mark.slow

AXE = Path(__file__).parents[1] / "outside/node_modules/axe-core/axe.min.js"
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
SMALLEST_TARGET = 24
SIZES = """() => [...document.querySelectorAll("button, .button, input:not([type=hidden]), summary")]
  .map(e => ({what: e.outerHTML.slice(0, 80), box: e.getBoundingClientRect()}))
  .filter(e => e.box.width < 24 || e.box.height < 24).map(e => e.what)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", params=list(LOOKS))
def tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Any]:
    context = browser.new_context(**LOOKS[request.param])
    show_gallery(context)
    opened = context.new_page()
    opened.axe = AXE.read_text() if AXE.exists() else None  # type: ignore[attr-defined]
    yield opened
    context.close()


def open_still(tab: Any, name: str) -> None:
    """Open a page of the gallery; one that leads away by itself is held where it is."""
    tab.goto(f"{ORIGIN}/{name}?still")
    tab.wait_for_selector("h1")


@pytest.mark.parametrize("name", GALLERY)
def test_axe_finds_nothing(tab: Any, name: str) -> None:
    if tab.axe is None:
        pytest.skip("axe-core is not installed: npm ci in tests/outside")
    open_still(tab, name)
    tab.evaluate(tab.axe)
    found = tab.evaluate("rules => axe.run(document, rules)", RULES)
    assert len(found["passes"]) > 10
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []


@pytest.mark.parametrize("name", GALLERY)
def test_nothing_scrolls_sideways_and_targets_are_large(tab: Any, name: str) -> None:
    open_still(tab, name)
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.evaluate(SIZES) == []
    assert tab.evaluate("document.scripts.length") == 0


def test_neither_answer_of_the_consent_page_is_focused_or_larger(tab: Any) -> None:
    open_still(tab, "consent")
    deny = tab.get_by_role("button", name="Deny").bounding_box()
    allow = tab.get_by_role("button", name="Allow", exact=True).bounding_box()
    assert (deny["width"], deny["height"]) == (allow["width"], allow["height"])
    assert tab.evaluate("document.activeElement === document.body")
    looks = "e => ['color', 'backgroundColor', 'fontWeight'].map(k => getComputedStyle(e)[k])"
    assert tab.get_by_role("button", name="Deny").evaluate(looks) == tab.get_by_role(
        "button", name="Allow", exact=True
    ).evaluate(looks)

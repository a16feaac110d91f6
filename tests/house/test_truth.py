"""What the README, HOUSE.md and the lock files say is so; generated pages are fresh; nothing private is committed."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.house.tree import ROOT, SOURCE, committed_files, python_files
from tools import checklist, docs

PAGES = [name for name in ("README.md", "HOUSE.md") if (ROOT / name).exists()]
LOCKS = ("requirements.lock", "requirements-dev.lock", "tools/uv-requirements.lock")


def test_generated_pages_are_fresh():
    assert docs.stale() == [], "make docs"


@pytest.mark.parametrize("page", PAGES)
def test_a_path_it_names_exists(page):
    named = re.findall(
        r"`((?:src|tests|tools|docs|bench|\.ci)/[\w./-]*)`", (ROOT / page).read_text()
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_make_target_it_names_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(
            r"make ([a-z-]+)(?:[ `\n]|$)",
            re.sub(r"[^`]*(`[^`]*`)?", r"\1", (ROOT / page).read_text()),
        )
    )
    assert named - targets == set()


def test_the_house_page_names_every_room():
    page = (ROOT / "HOUSE.md").read_text()
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert sorted(room for room in rooms if f"{room}/" not in page) == []


def test_the_readme_counts_what_the_conformance_page_counts():
    measured = re.findall(
        r": (\d+ of \d+) scenarios pass", (ROOT / "docs/reference/conformance.md").read_text()
    )
    told = re.findall(r"\b(\d+ of \d+)\b", (ROOT / "README.md").read_text())
    assert told == measured


@pytest.mark.parametrize("page", [name for name in committed_files() if name.endswith(".md")])
def test_a_page_it_links_to_exists(page):
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    assert [path for path in linked if not ((ROOT / page).parent / path).exists()] == []


def names_in(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9][a-z0-9.-]*)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_lock_files_hold_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    base = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["postgres"],
    ]
    groups = project["dependency-groups"]

    def names(requirements):
        return {
            re.split(r"[^A-Za-z0-9._-]", one)[0].lower().replace("_", "-") for one in requirements
        }

    assert names([*base, *groups["build"]]) - names_in("requirements.lock") == set()
    assert names([*base, *groups["dev"]]) - names_in("requirements-dev.lock") == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_address(lock):
    assert re.findall(r"https?://\S+|file://\S+", (ROOT / lock).read_text()) == []


def test_no_committed_file_names_a_registry_or_a_machine():
    private = re.compile(
        "|".join(
            [
                "py" + r"pi\.org",
                "registry" + r"\.npmjs",
                "files" + r"\.pythonhosted",
                "/wo" + "rk/",
                "/tmp/" + "team",
            ]
        )
    )
    found = []
    for name in committed_files():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name}: {match[0]}" for match in private.finditer(text)]
    assert found == []


def test_every_requirement_that_a_test_cites_is_spelled_like_one():
    cited = [
        (file.path, id_)
        for file in python_files("tests")
        for marks in re.findall(r"mark\.requirement\(([^)]*)\)", file.text)
        for id_ in re.findall(r"[\"']([^\"']*)[\"']", marks)
    ]
    assert [
        one for one in cited if not re.fullmatch(r"[A-Z]{2}-[0-9]{1,3}[a-z]?|E[0-9]{1,2}", one[1])
    ] == []


def test_every_requirement_that_is_owed_is_held_or_left_out_with_a_reason():
    held, left_out = checklist.held(), checklist.left_out()
    owed = set(checklist.owed())
    assert sorted(owed - held.keys() - left_out.keys(), key=checklist.place) == []
    assert sorted(left_out.keys() & held.keys()) == [], "a test holds it: take the reason out"
    assert sorted(left_out.keys() - owed) == [], "nobody owes it"
    assert [row for row, reason in left_out.items() if not reason] == []

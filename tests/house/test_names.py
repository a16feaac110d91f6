"""Names say what a thing is in the words of the RFCs; words that fit anything are not used."""

from __future__ import annotations

import ast
import re

from tests.house.tree import definitions, python_files

ANYWHERE = {
    "manager",
    "handler",
    "helper",
    "helpers",
    "util",
    "utils",
    "service",
    "processor",
    "misc",
}
ALONE = {"do", "process", "handle", "run_it", "data", "info", "context", "stuff", "common", "base"}

# Names that a framework asks for.
ASKED_FOR = {"info"}  # of a logger


def words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)]


def bad(name: str) -> bool:
    found = words(name)
    return bool(ANYWHERE & set(found)) or (len(found) == 1 and found[0] in ALONE)


def test_no_definition_has_a_name_that_fits_anything():
    wrong = [
        f"{file.path}:{node.lineno}: {node.name}"
        for file in python_files("src")
        for node in definitions(file)
        if bad(node.name) and node.name not in ASKED_FOR
    ]
    assert wrong == []


def test_no_module_has_a_name_that_fits_anything():
    parts = {
        part.removesuffix(".py") for file in python_files("src") for part in file.path.split("/")
    }
    assert sorted(part for part in parts if bad(part)) == []


def test_every_source_file_says_in_a_sentence_what_it_is_for():
    silent = [
        file.path
        for file in python_files("src")
        if "/migrations/" not in file.path and not ast.get_docstring(file.tree)
    ]
    assert silent == []


def test_the_rule_itself_catches_what_it_should():
    caught = {"TokenManager", "handle", "grant_helper", "data", "HTTPHandler"}
    assert {
        name for name in {*caught, "revoke_grant", "read_form", "metadata"} if bad(name)
    } == caught

"""Files and functions stay short enough to read in one sitting; going over asks for a reason, written here."""

from __future__ import annotations

import ast

from tests.house.tree import definitions, length, python_files

SOURCE_FILE, TEST_FILE, FUNCTION, SETTINGS = 300, 450, 40, 40

# path or path::function -> why it may be longer
REASONS: dict[str, str] = {}


def test_files_are_short():
    long = [
        f"{file.path}: {file.lines()} lines (at most {most})"
        for folder, most in (("src", SOURCE_FILE), ("tests", TEST_FILE), ("tools", SOURCE_FILE))
        for file in python_files(folder)
        if file.lines() > most and file.path not in REASONS
    ]
    assert long == []


def test_functions_are_short():
    long = [
        f"{file.path}::{node.name}: {length(node)} lines (at most {FUNCTION})"
        for file in python_files("src")
        for node in definitions(file)
        if not isinstance(node, ast.ClassDef)
        and length(node) > FUNCTION
        and "/migrations/" not in file.path  # a migration is a list
        and f"{file.path}::{node.name}" not in REASONS
    ]
    assert long == []


def test_no_reason_has_outlived_what_it_excused():
    known = {
        file.path: file for folder in ("src", "tests", "tools") for file in python_files(folder)
    }
    for excused in REASONS:
        path, _, name = excused.partition("::")
        assert path in known, excused
        assert not name or name in {node.name for node in definitions(known[path])}, excused


def test_there_are_few_settings():
    from tools import docs

    assert docs.configuration().count("\n| `") <= SETTINGS

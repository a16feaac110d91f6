"""Every reason for a refusal has a name of its own, a sentence that can go on the wire, and a test."""

from __future__ import annotations

import re

from tests.house.tree import ROOT, python_files
from tools.reasons import reasons

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ERROR_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749 5.2


def test_each_name_is_used_once_and_is_kebab_case():
    names = [one.name for one in reasons()]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [f"{one.where} {one.name}" for one in reasons() if not KEBAB.fullmatch(one.name)] == []


def test_each_sentence_can_be_an_error_description():
    assert [one.where for one in reasons() if not ERROR_DESCRIPTION.fullmatch(one.sentence)] == []


def test_each_is_asserted_by_a_test():
    tests = "\n".join(
        file.text for file in python_files("tests") if not file.path.startswith("tests/house/")
    )
    said = set(re.findall(r"[\w-]+", tests))
    untested = [
        f"{one.where} {one.name}" for one in reasons() if not {one.name, one.constant} & said
    ]
    assert untested == []


def test_they_are_found():
    assert reasons()
    assert (ROOT / "src/mcplatch/protocol/refusal.py").is_file()

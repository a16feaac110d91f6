"""Every reason for a refusal has a name of its own, a sentence that can go on the wire, and a test."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache

from tests.house.tree import ROOT, python_files

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ERROR_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749 5.2


@dataclass(frozen=True)
class Written:
    where: str
    constant: str
    name: str
    error: str
    sentence: str


@cache
def reasons() -> tuple[Written, ...]:
    found = []
    for file in python_files("src"):
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(
                node.value, ast.Call
            ):
                continue
            call = node.value
            if not (isinstance(call.func, ast.Name) and call.func.id == "Reason"):
                continue
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            given = {key.arg: key.value for key in call.keywords}
            given |= dict(zip(("name", "error", "sentence", "source"), call.args, strict=False))
            texts = {key: _text(value) for key, value in given.items()}
            found.append(
                Written(
                    f"{file.path}:{node.lineno}",
                    ast.unparse(target),
                    texts["name"],
                    texts["error"],
                    texts["sentence"],
                )
            )
    return tuple(found)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


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

"""Certified OAuth libraries walk our servers step by step; each step that fails is named."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.outside.stack import Target
from tests.outside.toolbox import NODE, PROGRAMS, Ran, run

pytestmark = pytest.mark.slow

Env = Callable[..., dict[str, str]]


def failed_steps(ran: Ran) -> list[dict[str, object]]:
    steps = [json.loads(line) for line in ran.out.splitlines()]
    failed = [step for step in steps if not step["ok"]]
    assert steps, ran
    assert ran.code == (1 if failed else 0), f"did not reach its end:\n{ran.out}\n{ran.err}"
    return failed


@pytest.mark.requirement(
    "AS-1", "AS-2", "AS-3", "AS-22", "AS-25", "AS-38", "AS-40", "AS-46", "AS-47"
)
@pytest.mark.requirement("AS-95", "AS-96", "AS-119", "AS-135", "AS-136", "AS-139", "AS-140")
def test_oauth4webapi(programs: None, target: Target, person: Env) -> None:
    """Discovery, registration, PKCE, replay, refresh, reuse, revocation, denial."""
    command = [str(NODE), str(PROGRAMS / "oauth4webapi.mjs"), target.resource]
    ran = run(command, person(FORM_BROWSER_TICK="all"), seconds=150)
    assert failed_steps(ran) == [], ran.err


@pytest.mark.requirement("AS-1", "AS-2", "AS-84")
def test_openid_client(programs: None, target: Target, person: Env) -> None:
    """Both discovery spellings, every client authentication method."""
    command = [str(NODE), str(PROGRAMS / "openid_client.mjs"), target.issuer, target.resource]
    assert failed_steps(run(command, person(), seconds=90)) == []

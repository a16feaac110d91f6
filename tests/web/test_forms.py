"""Which posts are forms of ours, as a table (security row 37)."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request

from mcplatch.protocol.parameters import PARAMETER_REPEATED, REQUEST_MALFORMED, Parameters
from mcplatch.protocol.refusal import Refusal
from mcplatch.web import forms

pytestmark = pytest.mark.anyio
ORIGIN = "https://auth.example"
TOKEN = forms.csrf_token("secret", "consent", "i")
OWN = {"content-type": forms.FORM_TYPE, "sec-fetch-site": "same-origin", "origin": "null"}


def post(body: bytes, headers: dict[str, str]) -> Request:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
    }
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return Request(scope, receive)


GOOD = f"csrf={TOKEN}&scope=a&scope=b".encode()
CASES: list[tuple[str, bytes, dict[str, str], str | None]] = [
    ("ours", GOOD, OWN, None),
    ("origin said", GOOD, OWN | {"origin": ORIGIN}, None),
    ("typed by hand or reloaded", GOOD, OWN | {"sec-fetch-site": "none"}, None),
    ("not a browser", GOOD, {"content-type": forms.FORM_TYPE}, None),
    ("with charset", GOOD, OWN | {"content-type": forms.FORM_TYPE + ";charset=UTF-8"}, None),
    ("cross-site", GOOD, OWN | {"sec-fetch-site": "cross-site"}, forms.FOREIGN.name),
    ("same-site", GOOD, OWN | {"sec-fetch-site": "same-site"}, forms.FOREIGN.name),
    ("made-up site", GOOD, OWN | {"sec-fetch-site": "x"}, forms.FOREIGN.name),
    ("http origin", GOOD, OWN | {"origin": "http://auth.example"}, forms.FOREIGN.name),
    ("longer origin", GOOD, OWN | {"origin": ORIGIN + ".evil.example"}, forms.FOREIGN.name),
    ("empty origin", GOOD, OWN | {"origin": ""}, forms.FOREIGN.name),
    ("no token", b"scope=a", OWN, forms.OUT_OF_DATE.name),
    ("empty token", b"csrf=&scope=a", OWN, forms.OUT_OF_DATE.name),
    ("other token", b"csrf=x", OWN, forms.OUT_OF_DATE.name),
    ("token in non-ASCII", "csrf=ü".encode(), OWN, forms.OUT_OF_DATE.name),
    ("json", b"{}", OWN | {"content-type": "application/json"}, forms.NOT_A_FORM.name),
    ("multipart", GOOD, OWN | {"content-type": "multipart/form-data"}, forms.NOT_A_FORM.name),
    ("no type", GOOD, {}, forms.NOT_A_FORM.name),
    ("too large", b"a=" + b"x" * 70_000, OWN, forms.TOO_LARGE.name),
    ("token twice", GOOD + b"&csrf=x", OWN, PARAMETER_REPEATED.name),
    ("not UTF-8", GOOD + b"&x=%ff", OWN, REQUEST_MALFORMED.name),
]


@pytest.mark.requirement("AS-147")
@pytest.mark.parametrize(
    ("body", "headers", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_only_our_own_form_is_read(
    body: bytes, headers: dict[str, str], reason: str | None
) -> None:
    form = await forms.read_own_form(
        post(body, headers), origin=ORIGIN, token=TOKEN, repeatable=frozenset({"scope"})
    )
    if reason is None:
        assert isinstance(form, Parameters)
        assert form.all("scope") == ("a", "b")
    else:
        assert isinstance(form, Refusal)
        assert form.reason.name == reason


async def test_a_form_that_breaks_off_is_none() -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", forms.FORM_TYPE.encode())],
    }

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    form = await forms.read_form(Request(scope, receive))
    assert isinstance(form, Refusal)
    assert form.reason is forms.NOT_A_FORM


def test_a_token_depends_on_everything() -> None:
    parts = [
        ("secret", "consent", "i", "u"),
        ("secret", "consent", "i"),
        ("secret", "consent", "iu"),
        ("secret", "password", "i"),
        ("other", "consent", "i", "u"),
    ]
    assert len({forms.csrf_token(*part) for part in parts}) == len(parts)

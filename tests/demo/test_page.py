"""A page is read as a browser without scripts reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcplatch.demo.page import read_page

CONSENT = """<!doctype html><title> Allow? </title><style>p{color:red}</style>
<p>A&amp;B wants <b>this</b>.</p><script>var form = "<form>";</script>
<form method="post" action="/consent?x=1&amp;y=2">
 <input type="hidden" name="token" value="a&quot;b">
 <input type="checkbox" name="scope" value="read" checked>
 <input type="checkbox" name="scope" value="write">
 <input type="checkbox" name="gone" value="x" checked disabled>
 <input type="radio" name="days" value="1"><input type="radio" name="days" value="30" checked>
 <select name="size"><option value="s">S<option value="m" selected>M</select>
 <input type="submit" name="answer" value="Deny">
 <button name="answer" value="allow"><span>Allow</span> it</button>
 <button type="button" name="help" value="1">Help</button>
</form><input name="outside" value="1">"""


def test_the_fields_sent_are_those_of_a_browser() -> None:
    (form,) = read_page(CONSENT).forms
    assert (form.method, form.action) == ("post", "/consent?x=1&y=2")
    assert form.sent({"token": "typed"}, form.button("allow|approve")) == [
        ("token", "typed"),
        ("scope", "read"),
        ("days", "30"),
        ("size", "m"),
        ("answer", "allow"),
    ]
    assert ("scope", "write") in form.sent({}, None, ticks={"write"})
    assert ("answer", "Deny") in form.sent({}, form.button("deny"))
    assert form.sent({}, None)[0] == ("token", 'a"b')


def test_what_a_person_reads() -> None:
    page = read_page(CONSENT)
    assert page.title == "Allow?"
    assert page.text.startswith("A&B wants this .")
    assert "color" not in page.text
    assert "var form" not in page.text


@pytest.mark.parametrize(
    ("content", "url"),
    [
        ("0;url=http://localhost/cb?code=1&amp;state=2", "http://localhost/cb?code=1&state=2"),
        ("3; URL='/next'", "/next"),
        ("1.5;url=x", "x"),
        ("5", ""),
        ("url=/next", ""),
    ],
)
def test_meta_refresh(content: str, url: str) -> None:
    assert read_page(f'<meta http-equiv="Refresh" content="{content}">').refresh == url


def test_a_password_form_is_known() -> None:
    assert read_page("<form><input type=password name=p></form>").forms[0].asks_password
    assert not read_page("<form><input name=p></form>").forms[0].asks_password


@given(st.text(alphabet="<>/=\"' formniputsec&;!-[]", max_size=200))
def test_any_text_is_read(text: str) -> None:
    read_page(text)

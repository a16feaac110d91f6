"""The form-driver browser against a page server that does what sign-in and consent pages do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode

import pytest

from tests.outside.form_browser import Browser, Outcome, Person, visit

CLIENT = "http://127.0.0.1:1/callback"
SIGN_IN = """<form method=get action=/language><button>English</button></form>
<form method=post><input type=hidden name=csrf value=c1><label>Name <input name=username></label>
<input type=password name=password><button>Sign in</button></form>"""
CONSENT = """<form method=post action="/consent?a=1&amp;b=2"><input type=hidden name=csrf value=c2>
<input type=checkbox name=scope value=read checked><input type=checkbox name=scope value=write>
<input type=radio name=days value=1><input type=radio name=days value=30 checked>
<input type=checkbox name=scope value=locked checked disabled>
<button name=answer value=deny>Don&#39;t allow</button>
<button name=answer value=allow><svg></svg> Allow access</button></form>"""


class Pages(BaseHTTPRequestHandler):
    """Remembers every form it was sent; asks for the cookie it set on the way."""

    server: Server

    def log_message(self, *_: object) -> None:
        return

    def give(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self) -> None:
        page = self.path.split("?")[0]
        if page == "/authorize":
            cookie = "__Host-s=1; Path=/; Secure; HttpOnly; SameSite=Lax"
            self.give(302, location="/login", set_cookie=cookie)
        elif "__Host-s=1" not in self.headers.get("cookie", ""):
            self.give(400, "<p>no cookie</p>")
        elif page == "/login":
            self.give(200, SIGN_IN)
        else:
            self.give(200, CONSENT if page == "/consent" else "<p>nothing to press</p>")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.server.seen.append((self.path, form))
        if self.path == "/login":
            right = form.get("password") == ["right"] and form["username"] == ["ann"]
            self.give(303, location="/consent") if right else self.give(401, SIGN_IN)
            return
        answer = {"code": "k"} if form["answer"] == ["allow"] else {"error": "access_denied"}
        target = f"{CLIENT}?{urlencode({**answer, 'state': 's t'})}".replace("&", "&amp;")
        refresh = f'<meta http-equiv="refresh" content="1;url={target}"><p>Returning you'
        self.give(200, refresh)


class Server(ThreadingHTTPServer):
    """A page server with a memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Pages)
        self.seen: list[tuple[str, dict[str, list[str]]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def pages() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def walk(pages: Server, person: Person) -> Outcome:
    return visit(f"{pages.url}/authorize?{urlencode({'redirect_uri': CLIENT})}", person)


def test_the_person_is_signed_in_and_allows(pages: Server) -> None:
    outcome = walk(pages, Person("ann", "right"))
    assert outcome.answer() == {"code": "k", "state": "s t"}
    assert pages.seen == [
        ("/login", {"csrf": ["c1"], "username": ["ann"], "password": ["right"]}),
        (
            "/consent?a=1&b=2",
            {"csrf": ["c2"], "scope": ["read"], "days": ["30"], "answer": ["allow"]},
        ),
    ]


def test_a_wrong_password_is_tried_first_when_asked_for(pages: Server) -> None:
    outcome = walk(pages, Person("ann", "right", wrong_first="wrong"))
    assert outcome.answer()["code"] == "k"
    assert [form["password"] for path, form in pages.seen if path == "/login"] == [
        ["wrong"],
        ["right"],
    ]


def test_the_person_denies(pages: Server) -> None:
    outcome = walk(pages, Person("ann", "right", deny=True))
    assert outcome.answer() == {"error": "access_denied", "state": "s t"}


@pytest.mark.parametrize(
    ("tick", "ticked"),
    [("as shown", ["read"]), ("all", ["read", "write"]), ("none", None), ("write", ["write"])],
)
def test_boxes_are_ticked_as_told(pages: Server, tick: str, ticked: list[str] | None) -> None:
    walk(pages, Person("ann", "right", tick=tick))
    assert pages.seen[-1][1].get("scope") == ticked


def test_it_gets_stuck_aloud_and_never_guesses(pages: Server) -> None:
    outcome = walk(pages, Person("ann", "wrong"))
    assert outcome.redirect == ""
    assert "Sign in" in outcome.text
    assert sum(1 for path, _ in pages.seen if path == "/login") == 1


def test_a_browser_without_the_cookie_is_another_browser(pages: Server) -> None:
    assert visit(f"{pages.url}/login", Person("ann", "right"), Browser()).text == "no cookie"

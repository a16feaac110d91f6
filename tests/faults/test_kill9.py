"""`kill -9` at every point of the flow, then a restart on the same database (RFC 6749 4.1.2, 10.5).

No token that a client received is lost, and no code is spent twice. On SQLite and on PostgreSQL.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.outside.flow import Answer, Broken, Held, Interrupted, Wire
from tests.outside.form_browser import Browser
from tests.outside.served import PERSON, SECRET, Server, make_server

pytestmark = pytest.mark.slow

RESOURCE = "http://localhost:49153/mcp"  # nobody has to be there
CLIENTS = 6
MOMENTS = (0.0, 0.25, 0.5, 0.75, 1.0, 3.0)  # of the time the requests take


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "sqlite":
        database = f"sqlite:///{tmp_path}/killed.db"
    else:
        database = request.getfixturevalue("postgres_url")
    made = make_server(tmp_path, database, RESOURCE)
    made.program.start()
    yield made
    made.program.stop()


@pytest.fixture
def wire(server: Server) -> Wire:
    made = Wire(server.issuer, RESOURCE)
    made.register()
    return made


def holds(wire: Wire, answer: Answer) -> str:
    """Check that what a client received works; answer with its newest refresh token."""
    assert answer.status == 200, answer
    assert wire.is_active(answer.body["access_token"], SECRET)
    fresh = wire.refresh(answer.body["refresh_token"])
    assert fresh.status == 200, fresh
    return str(fresh.body["refresh_token"])


def codes(wire: Wire, count: int) -> list[Held]:
    browser = Browser()
    return [wire.authorize(PERSON, browser) for _ in range(count)]


def timed(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def at_once(work: Callable[[str], Answer], given: list[str]) -> list[Answer | None]:
    """Send all requests at once; None where the server went away before its answer was complete."""

    def send(one: str) -> Answer | None:
        try:
            return work(one)
        except Broken:
            return None

    with ThreadPoolExecutor(max(len(given), 1)) as pool:
        return list(pool.map(send, given))


def killed_amid(server: Server, seconds: float, send: Callable[[], object]) -> None:
    """Run `send`, kill the server `seconds` after it began, start it again when `send` is done."""
    killer = threading.Timer(seconds, server.program.kill)
    killer.start()
    send()
    killer.join()
    server.program.start()


def test_killed_after_every_answer(server: Server) -> None:
    """One flow for each of its requests: killed right after that answer, it goes on to the end."""
    answers, fatal = 0, 1

    def after() -> None:
        nonlocal answers
        answers += 1
        if answers == fatal:
            server.restart()

    while True:
        answers = 0
        wire = Wire(server.issuer, RESOURCE, after)
        wire.register()
        held = wire.authorize(PERSON, Interrupted(after))
        tokens = wire.exchange(held)
        newest = holds(wire, tokens)
        assert wire.exchange(held).error == "invalid_grant"
        assert wire.refresh(newest).error == "invalid_grant", "a replayed code ends its grant"
        if answers < fatal:
            break
        fatal += 1
    assert fatal > 8, "a flow has more requests than that"


def test_killed_while_a_page_is_made(server: Server) -> None:
    """The person presses reload, or begins again in the app: never a 5xx, and then it works."""
    wire = Wire(server.issuer, RESOURCE)
    wire.register()
    pages: list[None] = []
    whole = timed(lambda: wire.authorize(PERSON, Interrupted(lambda: pages.append(None))))
    for fatal in range(1, len(pages) + 1):
        death = Death(server, fatal, whole / len(pages) * 0.4)
        browser = Interrupted(death.after, death.before)
        try:
            held = wire.authorize(PERSON, browser)
        except AssertionError:
            held = wire.authorize(PERSON, browser)
        holds(wire, wire.exchange(held))


@dataclass(slots=True)
class Death:
    """Kills the server `seconds` after the browser began its request number `fatal`."""

    server: Server
    fatal: int
    seconds: float
    seen: int = 0

    def before(self) -> None:
        self.seen += 1
        if self.seen == self.fatal:
            threading.Timer(self.seconds, self.server.program.kill).start()

    def after(self) -> None:
        if self.seen == self.fatal:
            assert self.server.program.process is not None
            self.server.program.process.wait(10)
            self.server.program.start()


def test_killed_amid_code_exchanges(server: Server, wire: Wire) -> None:
    """What was answered holds; what was not is given once at most, however often it is asked for."""
    (first,) = codes(wire, 1)
    usual = timed(lambda: wire.exchange(first)) * 2
    outcomes: Counter[str] = Counter()
    known: dict[str, Held] = {}

    def redeem(code: str) -> Answer:
        return wire.exchange(known[code])

    for moment in MOMENTS:
        held = codes(wire, CLIENTS)
        known.update((one.code, one) for one in held)
        answers: list[Answer | None] = []

        def send(held: list[Held] = held, answers: list[Answer | None] = answers) -> None:
            answers += at_once(redeem, [one.code for one in held])

        killed_amid(server, usual * moment, send)
        for one, answer in zip(held, answers, strict=True):
            if answer is None:
                racers = at_once(redeem, [one.code] * 3)
                given = [racer for racer in racers if racer and racer.status == 200]
                assert len(given) <= 1, given
                refused = [racer for racer in racers if racer and racer.status != 200]
                assert {racer.error for racer in refused} <= {"invalid_grant"}, refused
                outcomes["given on asking again" if given else "spent unseen"] += 1
            else:
                newest = holds(wire, answer)
                assert wire.exchange(one).error == "invalid_grant"
                assert wire.refresh(newest).error == "invalid_grant"
                outcomes["answered"] += 1
    assert outcomes["answered"], outcomes
    assert outcomes["given on asking again"], outcomes


def test_killed_amid_refreshes(server: Server, wire: Wire) -> None:
    """Nobody is stranded: an answer that was lost is given again, and reuse is still noticed."""
    held = codes(wire, CLIENTS)
    begun = [wire.exchange(one) for one in held]
    newest = [str(answer.body["refresh_token"]) for answer in begun]
    usual = timed(lambda: at_once(wire.refresh, newest))
    newest = [str(one.body["refresh_token"]) for one in map(wire.refresh, newest)]
    outcomes: Counter[str] = Counter()
    for moment in MOMENTS:
        presented = newest
        answers: list[Answer | None] = []

        def send(given: list[str] = presented, answers: list[Answer | None] = answers) -> None:
            answers += at_once(wire.refresh, given)

        killed_amid(server, usual * moment, send)
        newest = []
        for token, answer in zip(presented, answers, strict=True):
            outcomes["lost" if answer is None else "answered"] += 1
            newest.append(holds(wire, answer or wire.refresh(token)))
    assert outcomes["answered"], outcomes
    assert outcomes["lost"], outcomes
    oldest = str(begun[0].body["refresh_token"])
    assert wire.refresh(oldest).error == "invalid_grant"
    assert wire.refresh(newest[0]).error == "invalid_grant"
    assert wire.refresh(newest[1]).status == 200, "other grants go on"


def test_killed_amid_revocations(server: Server, wire: Wire) -> None:
    """What was answered as revoked stays revoked; what was not can be revoked again."""
    usual = 0.02
    outcomes: Counter[str] = Counter()
    for moment in (0.0, 0.5, 1.0, 5.0):
        begun = [wire.exchange(one) for one in codes(wire, CLIENTS)]
        tokens = [str(answer.body["refresh_token"]) for answer in begun]
        answers: list[Answer | None] = []

        def send(tokens: list[str] = tokens, answers: list[Answer | None] = answers) -> None:
            answers += at_once(wire.revoke, tokens)

        killed_amid(server, usual * moment, send)
        for first, token, answer in zip(begun, tokens, answers, strict=True):
            outcomes["lost" if answer is None else "answered"] += 1
            if answer is None:
                answer = wire.revoke(token)
            assert answer.status == 200, answer
            assert not wire.is_active(first.body["access_token"], SECRET)
            assert wire.refresh(token).error == "invalid_grant"
    assert outcomes["answered"], outcomes
    assert outcomes["lost"], outcomes

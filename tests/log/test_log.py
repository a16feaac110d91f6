"""Whatever is logged, no secret is in what is written."""

from __future__ import annotations

import io
import json
import logging

import pytest

from mcplatch.config import Secret
from mcplatch.log import REDACTED, log, set_up, without_secrets

TOKEN = "q8Zb1kX0v5cW7nR2mT9yL4sD6fG3hJ0pAeUiOxYwQzN"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"


@pytest.fixture
def written():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up("json", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_event_is_one_line_of_json(written):
    log().info("token issued", client_id="c1", seconds=600, scope=("a", "b"))
    (line,) = written()
    assert line["event"] == "token issued"
    assert (line["client_id"], line["seconds"], line["scope"]) == ("c1", 600, ["a", "b"])
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "hunter2"},
        {"client_secret": "hunter2"},
        {"refresh_token": "hunter2"},
        {"code_verifier": "hunter2"},
        {"authorization": "hunter2"},
        {"form": {"code": "hunter2"}},
        {"headers": {"Cookie": "a=hunter2"}},
        {"forms": [{"password": "hunter2"}]},
        {"held": Secret("hunter2")},
        {"raw": b"hunter2"},
    ],
)
def test_a_field_named_like_a_secret_is_not_written(written, fields):
    log().warning("odd", **fields)
    assert "hunter2" not in json.dumps(written())


@pytest.mark.parametrize(
    "text",
    [
        f"refused {TOKEN}",
        f"Authorization: Bearer {JWT}",
        f"bearer {TOKEN[:12]}",
        f"GET /callback?code={TOKEN[:10]}&iss=x",
        f"POST body was grant_type=x&refresh_token={TOKEN[:12]}&scope=a",
        f'{{"access_token": "{TOKEN[:12]}"}}',
        f"password={TOKEN[:12]}",
        f"jwt={JWT}",
    ],
)
def test_text_shaped_like_a_secret_is_cut_out(text):
    clean = without_secrets(" " + text)
    assert REDACTED in clean
    assert TOKEN[:10] not in clean
    assert JWT[:20] not in clean


@pytest.mark.parametrize(
    "text",
    [
        "GET /.well-known/oauth-authorization-server 200 3 ms",
        "http://localhost:9000/token answered 503",
        "client 3f2a8c19d0 was refused: redirect-uri-unknown",
        "sqlite:////var/lib/mcplatch/mcplatch.db is locked",
        "the state of the store is good",
        "src/mcplatch/authorization_server/grant_types/authorization_code.py",
    ],
)
def test_ordinary_text_stays(text):
    assert without_secrets(text) == text


def test_lines_of_other_libraries_go_the_same_way(written):
    logging.getLogger("somebody.else").warning("sent %s", f"Bearer {TOKEN}")
    (line,) = written()
    assert TOKEN not in json.dumps(line)
    assert line["logger"] == "somebody.else"


def test_an_exception_is_written_without_the_secret_in_its_text(written):
    try:
        raise ValueError(f"cannot use Bearer {TOKEN}")
    except ValueError:
        log().exception("broken")
    (line,) = written()
    assert "ValueError" in line["exception"]
    assert TOKEN not in json.dumps(line)


def test_a_line_break_in_a_value_does_not_make_a_second_line(written):
    log().info("odd", name='a\n{"event": "forged"}')
    assert len(written()) == 1


def test_the_console_form_is_for_people():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up("console", stream=stream)
    log().info("ready", address="http://localhost:9000")
    root.handlers[:] = handlers
    root.setLevel(level)
    assert "ready" in stream.getvalue()
    assert "address=http://localhost:9000" in stream.getvalue()

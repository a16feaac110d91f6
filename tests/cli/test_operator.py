"""The operator's commands against a running server, against none, and the server's own start and end."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import urllib.request

import pytest

from tests.cli.conftest import environment

GOOD = "correct horse battery staple\n"


@pytest.fixture(autouse=True)
def running(serving):
    if serving.process.poll() is not None:
        serving.start()


def told(serving, *arguments, stdin=""):
    ran = serving.run(*arguments, "--json", stdin=stdin)
    assert ran.exit_code == 0, ran.stderr
    return json.loads(ran.stdout)


def test_people(serving):
    assert (
        told(serving, "user", "add", "ann", "--name", "Ann", "--password-stdin", stdin=GOOD)[
            "user"
        ]["name"]
        == "Ann"
    )
    assert [one["username"] for one in told(serving, "user", "list")["users"]] == ["ann"]
    assert told(serving, "user", "lock", "ann")["user"]["locked_at"]
    assert told(serving, "user", "lock", "ann", "--undo")["user"]["locked_at"] is None
    told(
        serving, "user", "set-password", "ann", "--password-stdin", stdin="another good password\n"
    )
    shown = serving.run("user", "list").stdout
    assert shown.splitlines()[0].split() == ["USERNAME", "NAME", "ADDED", "LOCKED"]
    assert "password" not in json.dumps(told(serving, "user", "list"))


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (["user", "add", "bob", "--password-stdin"], "short\n", "at least 8 characters"),
        (["user", "add", "bob", "--password-stdin"], "", "the texts that this needs"),
        (["user", "add", "bob"], GOOD, "next: give it on standard input: --password-stdin"),
        (["user", "add", " bob", "--password-stdin"], GOOD, "A user name has"),
        (["user", "add", "b" * 201, "--password-stdin"], GOOD, "A user name has"),
        (["user", "add", "b\x1b[1m", "--password-stdin"], GOOD, "A user name has"),
        (["user", "lock", "nobody"], "", "There is no user of this name. (nobody)"),
        (["user", "set-password", "nobody", "--password-stdin"], GOOD, "There is no user"),
        (["client", "remove", "none"], "", "There is no client"),
        (["client", "add", "https://x.example/c", "--name", "X", "--redirect-uri", "http://localhost/"], "", "A client id added beforehand"),
        (["client", "add", "x", "--name", "X", "--redirect-uri", "javascript:alert(1)"], "", "redirect"),
        (["grant", "revoke", "none"], "", "There is no live grant"),
    ],
)  # fmt: skip
def test_a_no_is_exit_code_2_and_the_sentence(serving, arguments, stdin, says):
    ran = serving.run(*arguments, stdin=stdin)
    assert ran.exit_code == 2
    assert says.lower() in ran.stderr.lower()
    assert ran.stdout == ""


def test_clients(serving):
    added = told(
        serving,
        "client",
        "add",
        "c1",
        "--name",
        "C",
        "--redirect-uri",
        "http://127.0.0.1/cb",
        "--confidential",
    )
    assert len(added["client_secret"]) >= 43
    assert added["client"]["kind"] == "registered"
    assert (
        serving.run(
            "client", "add", "c1", "--name", "C", "--redirect-uri", "http://127.0.0.1/cb"
        ).exit_code
        == 2
    )
    listed = told(serving, "client", "list")
    assert [one["client_id"] for one in listed["clients"]] == ["c1"]
    assert added["client_secret"] not in json.dumps(listed)
    told(serving, "client", "remove", "c1")
    assert told(serving, "client", "list")["clients"] == []


def published(serving):
    with urllib.request.urlopen(f"http://localhost:{serving.port}/jwks.json", timeout=5) as answer:
        return {key["kid"] for key in json.load(answer)["keys"]}


def test_a_rotated_key_is_published_at_once_and_signs_later(serving):
    before = published(serving)
    fresh = told(serving, "key", "rotate")["key"]
    assert published(serving) == before | {fresh["kid"]}
    assert fresh["active_at"] >= fresh["created_at"] + 600
    assert {one["kid"] for one in told(serving, "key", "list")["keys"]} >= before | {fresh["kid"]}


def test_audit_tells_who_did_what_in_order(serving):
    ran = serving.run("audit", "tail", "--json", "-n", "100")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [one["event_id"] for one in events] == sorted(one["event_id"] for one in events)
    assert events[0]["kind"] == "key-created"


def test_only_this_user_can_open_the_socket(serving):
    mode = (serving.folder / "mcplatch.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /user/list HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nnull", 400),
        (b"POST /user/list HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{\xff", 400),
        (b"POST /user/add HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"username\":1}", 400),
        (b"POST /user/eat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 404),
        (b"GET /user/list HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    ],
)  # fmt: skip
def test_the_socket_refuses_what_is_malformed(serving, request_, status):
    with socket.socket(socket.AF_UNIX) as unix:
        unix.settimeout(5)
        unix.connect(str(serving.folder / "mcplatch.sock"))
        unix.sendall(request_)
        assert unix.recv(100).startswith(b"HTTP/1.1 %d" % status)


def test_a_second_server_does_not_touch_the_database(serving):
    ran = serving.run("serve")
    assert ran.exit_code == 6
    assert "another process is using" in ran.stderr
    assert told(serving, "user", "list")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_well(serving, how):
    assert serving.stop(how) == 0
    assert "Traceback" not in serving.printed()
    assert not (serving.folder / "mcplatch.sock").exists()


def test_what_an_operator_does_without_a_server_is_there_afterwards(serving):
    serving.stop()
    told(serving, "user", "add", "eve", "--password-stdin", stdin=GOOD)
    serving.start()
    assert "eve" in {one["username"] for one in told(serving, "user", "list")["users"]}


def test_a_killed_server_leaves_nothing_in_the_way(serving):
    serving.stop(signal.SIGKILL)
    assert (serving.folder / "mcplatch.sock").exists()
    assert told(serving, "user", "list")
    serving.start()
    assert told(serving, "user", "list")


def test_a_foreign_secret_key_is_noticed(serving):
    serving.stop()
    ran = subprocess.run(
        [sys.executable, "-m", "mcplatch", "serve"], cwd=serving.folder, text=True, capture_output=True,
        env=environment(MCPLATCH_SECRET_KEY="B" * 43), timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "the secret key is not the one" in ran.stderr

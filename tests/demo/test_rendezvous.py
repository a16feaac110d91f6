"""Servers started in any order find each other, and nobody else can read what they leave."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mcplatch.demo.rendezvous import NoMeetingPlace, announced, meeting_place, present

ISSUER = "http://localhost:9000"
RESOURCE = "http://localhost:8001/mcp"


def test_a_note_is_there_while_the_server_runs_and_only_for_its_issuer(tmp_path: Path) -> None:
    with announced(tmp_path, ISSUER, RESOURCE) as secret:
        (found,) = present(tmp_path, ISSUER)
        assert (found.resource, found.secret) == (RESOURCE, secret)
        assert len(secret) >= 43
        assert present(tmp_path, "http://localhost:9001") == ()
        (note,) = tmp_path.iterdir()
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert present(tmp_path, ISSUER) == ()


def test_two_resource_servers_have_different_secrets(tmp_path: Path) -> None:
    other = "http://localhost:8001/sse"
    with announced(tmp_path, ISSUER, RESOURCE) as one, announced(tmp_path, ISSUER, other) as two:
        assert one != two
        assert {a.resource for a in present(tmp_path, ISSUER)} == {RESOURCE, other}


def test_the_note_of_a_process_that_died_is_thrown_away(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with announced(tmp_path, ISSUER, RESOURCE):
        (note,) = tmp_path.iterdir()
        left = note.with_name(note.name.replace("-", "-9", 1))
        left.write_text(json.dumps({"resource": "x", "secret": "y", "pid": dead.pid}))
        assert [a.resource for a in present(tmp_path, ISSUER)] == [RESOURCE]
        assert not left.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', "\x00", '{"pid": 1}', "null"])
def test_what_is_not_a_note_is_left_alone(tmp_path: Path, text: str) -> None:
    with announced(tmp_path, ISSUER, RESOURCE):
        (note,) = tmp_path.iterdir()
        note.with_name(note.name.replace("-", "-9", 1)).write_text(text)
        assert len(present(tmp_path, ISSUER)) == 1


def test_the_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = meeting_place()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    os.chmod(folder, 0o755)
    with pytest.raises(NoMeetingPlace):
        meeting_place()


def test_a_link_in_its_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / "mcplatch-demo").symlink_to(elsewhere)
    with pytest.raises(NoMeetingPlace):
        meeting_place()

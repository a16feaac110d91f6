"""The command line itself: finding commands, exit codes, what a mistake says."""

from __future__ import annotations

import importlib
import json
import stat

import click
import pytest
from click.testing import CliRunner

from mcplatch import __version__
from mcplatch.cli import main
from mcplatch.cli.main import COMMANDS


def test_every_listed_command_is_there():
    for one in COMMANDS:
        found = importlib.import_module(one.module).command
        assert isinstance(found, click.Command), one.name
        assert found.help or found.callback.__doc__, one.name


def test_help_lists_every_command():
    shown = CliRunner().invoke(main.mcplatch, ["--help"]).output
    assert all(f"  {one.name} " in shown for one in COMMANDS)
    assert "Exit codes" in shown


def test_version(mcplatch):
    ran = mcplatch("--version")
    assert (ran.returncode, ran.stdout) == (0, f"mcplatch {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chekc"], "Did you mean “check”?"),
        (["xyzzy"], "mcplatch --help lists them."),
        (["--frobnicate"], "--frobnicate"),
        (["user", "add"], "USERNAME"),
        (["audit", "tail", "-n", "0"], "0"),
    ],
)
def test_a_mistake_is_exit_code_2_and_a_hint(arguments, says):
    ran = CliRunner().invoke(main.mcplatch, arguments)
    assert ran.exit_code == 2
    assert says in ran.output


def test_without_a_configuration_check_says_what_to_run(mcplatch):
    ran = mcplatch("check")
    assert ran.returncode == 2
    assert "next: mcplatch init" in ran.stderr
    assert ran.stdout == ""


def test_init_check_explain(mcplatch, tmp_path):
    made = mcplatch("init")
    assert made.returncode == 0, made.stderr
    assert "next: mcplatch user add NAME" in made.stdout
    key = tmp_path / "mcplatch.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert mcplatch("check").stdout.startswith("ok: http://localhost:9000, 1 protected server")

    explained = mcplatch("check", "--explain", MCPLATCH_LIFETIMES__SESSION="1h").stdout
    lines = {line.split()[0]: line for line in explained.splitlines()}
    assert "3600   (MCPLATCH_LIFETIMES__SESSION)" in lines["lifetimes.session"]
    assert "(mcplatch.toml)" in lines["issuer"]
    assert "********" in lines["secret_key"]
    assert key.read_text().strip() not in explained

    answered = json.loads(mcplatch("check", "--explain", "--json").stdout)
    assert answered["ok"]
    assert {"setting": "log_format", "value": "console", "source": "default"} in answered[
        "settings"
    ]


def test_init_overwrites_nothing(mcplatch, tmp_path):
    mcplatch("init")
    before = (tmp_path / "mcplatch.key").read_text()
    again = mcplatch("init")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert (tmp_path / "mcplatch.key").read_text() == before


def test_init_writes_nothing_that_would_not_work(mcplatch, tmp_path):
    ran = mcplatch("init", "--issuer", "http://as.example.com")
    assert ran.returncode == 2
    assert "must use https" in ran.stderr
    assert not (tmp_path / "mcplatch.toml").exists()
    assert not (tmp_path / "mcplatch.key").exists()


def test_every_commented_setting_of_init_works_when_uncommented(mcplatch, tmp_path):
    mcplatch("init")
    file = tmp_path / "mcplatch.toml"
    lines = []
    for line in file.read_text().splitlines():
        bare = line.removeprefix("# ")
        is_setting = line.startswith("# ") and (bare.startswith("[") or " = " in bare)
        lines.append(bare if is_setting and "postgresql://USER" not in bare else line)
    file.write_text("\n".join(lines))
    for secret in ("introspection.secret", "my-client.secret"):
        (tmp_path / secret).write_text("0123456789abcdef")
    ran = mcplatch("check")
    assert ran.returncode == 0, ran.stderr


def test_what_is_probably_not_meant_is_noted(mcplatch, tmp_path):
    mcplatch("init")
    (tmp_path / "mcplatch.key").chmod(0o644)
    ran = mcplatch("check")
    assert ran.returncode == 0
    assert "note: everybody on this machine can read" in ran.stdout


@pytest.mark.parametrize(
    ("environ", "code", "says"),
    [
        ({"MCPLATCH_LISTEN": "192.0.2.1:9000"}, 2, "in the clear"),
        ({"MCPLATCH_ISSUER": "https://as.example.com", "MCPLATCH_LISTEN": "192.0.2.1:9"}, 6, "cannot listen on 192.0.2.1:9"),
        ({"MCPLATCH_DATABASE": "sqlite:////proc/none/x.db"}, 6, "/proc/none"),
        ({"MCPLATCH_DATABASE": "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1"}, 6, "the database cannot be used"),
        ({"MCPLATCH_LISSTEN": "1"}, 2, "did you mean listen?"),
    ],
)  # fmt: skip
def test_serve_that_cannot_start_is_one_sentence(mcplatch, environ, code, says):
    mcplatch("init")
    ran = mcplatch("serve", **environ)
    assert ran.returncode == code, ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr

"""`mcplatch serve` as a process that is killed and started again on the same database and port."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.outside.form_browser import Person
from tests.outside.stack import PASSWORD, USERNAME, Program, script, server_environment
from tests.outside.toolbox import unused_port

SECRET = "a secret of the resource server"
PERSON = Person(USERNAME, PASSWORD)
CONFIG = """
issuer = "{issuer}"
secret_key_file = "{folder}/secret.key"
listen = "127.0.0.1:{port}"
database = "{database}"

[limits]
registrations_per_address = "9999/1m"

[[resource]]
identifier = "{resource}"
name = "Kill"
introspection_secret_file = "{folder}/introspection.secret"

[resource.scopes.user]
description = "use the tools"
tools = ["get_time", "calculator", "get_weather"]

[resource.scopes.admin]
description = "administer"
group = "change"
ticked = false
tools = ["admin-action"]
{more}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One authorization server that may die at any time."""

    issuer: str
    program: Program

    def restart(self) -> None:
        """Kill it without warning and start it again on what it left behind."""
        self.program.kill()
        self.program.start()


def make_server(folder: Path, database: str, resource: str, more: str = "") -> Server:
    """Write a configuration, add the person; the server is not started yet."""
    port = unused_port()
    issuer = f"http://localhost:{port}"
    file = folder / "mcplatch.toml"
    key = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    for name, secret in (("secret.key", key), ("introspection.secret", SECRET)):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    text = CONFIG.format(
        issuer=issuer, folder=folder, port=port, database=database, resource=resource, more=more
    )
    file.write_text(text, encoding="utf-8")
    env = server_environment(folder, MCPLATCH_CONFIG=str(file))
    added = subprocess.run(
        [script("mcplatch"), "user", "add", PERSON.username, "--password-stdin"],
        env=env,
        input=PERSON.password,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert added.returncode == 0, added
    program = Program(
        "mcplatch serve",
        [script("mcplatch"), "serve", "--config", str(file)],
        env,
        f"{issuer}/.well-known/oauth-authorization-server",
        folder / "serve.log",
    )
    return Server(issuer, program)

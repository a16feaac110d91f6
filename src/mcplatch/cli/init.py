"""`mcplatch init`: a commented configuration and a secret key, ready for `mcplatch serve`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from mcplatch.cli.outcome import Stop

TEMPLATE = """\
# `mcplatch check --explain` shows every setting and where its value is from.
# All settings are in docs/reference/configuration.md; each can also be a variable, such as
# MCPLATCH_LISTEN. Secrets are never written here, but named by file.

# The public address of this authorization server, exactly as clients see it.
# Behind a proxy that speaks https this is the proxy's address; clients compare it letter by letter.
issuer = {issuer}

# Seals everything kept at rest. Keep a copy: without it everybody has to sign in again.
secret_key_file = "mcplatch.key"

# Where to accept connections. Only a proxy on this machine should be able to reach it.
listen = {listen}

# One file, or "postgresql://USER@HOST/NAME" for several replicas.
database = "sqlite:///mcplatch.db"

# Who runs this server, for the pages people see.
# operator_name = "Example Company"

# Proxies whose X-Forwarded-For is believed.
# trusted_proxies = ["127.0.0.1"]

# "json" for programs that collect logs.
# log_format = "console"

# A protected MCP server: its address as clients type it, with its path.
[[resource]]
identifier = {resource}
name = {name}
# With this secret (at least 16 characters) the server may ask about tokens (RFC 7662).
# introspection_secret_file = "introspection.secret"

# What a person can allow there. Each tool belongs to one scope; "group" sorts the consent page:
# read, change, delete. "baseline" cannot be unticked; "ticked" is proposed.
[resource.scopes.user]
description = "use its tools"
baseline = true
# tools = ["get_time", "calculator"]

# [resource.scopes.admin]
# description = "change how it works"
# group = "change"
# ticked = false
# tools = ["admin-action"]

# How long things last: "90s", "10m", "12h", "30d".
# [lifetimes]
# access_token = "10m"
# refresh_token_idle = "30d"
# session = "12h"

# How clients become known: by the address of their metadata document, by registering themselves
# (RFC 7591), or beforehand as a [[client]].
# [registration]
# dynamic = true
# documents = true
# private_use_redirects = ["cursor://anysphere.cursor-mcp/oauth/callback"]

# [[client]]
# id = "my-client"
# name = "My client"
# redirect_uris = ["http://127.0.0.1/callback"]
# secret_file = "my-client.secret"
"""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--issuer", default="http://localhost:9000", show_default=True,
              help="The public address of this authorization server.")  # fmt: skip
@click.option("--listen", default="127.0.0.1:9000", show_default=True, help="Address and port.")
@click.option("--resource", default="http://localhost:8001/mcp", show_default=True,
              help="The address of the MCP server to protect.")  # fmt: skip
@click.option("--name", default="My MCP server", show_default=True, help="What people call it.")
def command(folder: Path, issuer: str, listen: str, resource: str, name: str) -> None:
    """Write mcplatch.toml and mcplatch.key into FOLDER (default: here). Overwrites nothing."""
    from mcplatch.config import ConfigError, load
    from mcplatch.moment import Moment, clock

    text = TEMPLATE.format(
        issuer=json.dumps(issuer),
        listen=json.dumps(listen),
        resource=json.dumps(resource),
        name=json.dumps(name),
    )
    file, key = folder / "mcplatch.toml", folder / "mcplatch.key"
    for present in (file, key):
        if present.exists():
            raise Stop(
                f"{present} is there already; nothing was written",
                next_step="mcplatch check verifies it; another FOLDER gets a new one",
            )
    folder.mkdir(parents=True, exist_ok=True)
    _write(key, f"{Moment(clock()).secret(32)}\n", 0o600)
    _write(file, text, 0o644)
    try:
        load(file, {})
    except ConfigError as wrong:
        key.unlink()
        file.unlink()
        raise Stop("\n  - ".join(["this would not work:", *wrong.mistakes])) from None
    at = "" if folder == Path() else f" --config {file}"
    click.echo(f"Wrote {file} and {key} (readable by you only).")
    click.echo(f"  next: mcplatch user add NAME{at}")
    click.echo(f"  then: mcplatch serve{at}")


def _write(file: Path, text: str, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)

"""`mcplatch audit`: who did what."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from mcplatch.cli.operator import ask, when
from mcplatch.cli.options import config_option, json_option


@click.group()
def command() -> None:
    """Who did what."""


@command.command()
@click.option(
    "-n", "limit", type=click.IntRange(1, 1000), default=20, help="How many to begin with."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@config_option()
@json_option()
def tail(limit: int, follow: bool, file: str | None, as_json: bool) -> None:
    """The newest events, one a line; with --json one document a line."""
    seen = _print(ask(file, "audit/tail", limit=limit)["events"], 0, as_json=as_json)
    while follow:
        time.sleep(1)
        seen = _print(
            ask(file, "audit/tail", limit=1000, after=seen)["events"], seen, as_json=as_json
        )


def _print(events: list[dict[str, Any]], seen: int, *, as_json: bool) -> int:
    for event in events:
        click.echo(json.dumps(event, ensure_ascii=False) if as_json else _line(event))
        seen = max(seen, event["event_id"])
    return seen


def _line(event: dict[str, Any]) -> str:
    who = [f"{name}={event[name]}" for name in ("user_id", "client_id", "grant_id", "resource")
           if event[name]]  # fmt: skip
    why = f"({event['reason']})" if event["reason"] else ""
    return " ".join(
        part for part in (when(event["at"]), event["kind"], event["outcome"], why, *who) if part
    )

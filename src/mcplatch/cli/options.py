"""Options that several commands share, and the configuration they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from mcplatch.cli.outcome import Exit, Stop
from mcplatch.config import ConfigError, Loaded, find, load
from mcplatch.environment import everything

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def config_option() -> Decorator:
    """--config FILE."""
    return click.option(
        "--config", "file", metavar="FILE", help="The configuration (default: ./mcplatch.toml)."
    )


def json_option() -> Decorator:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Answer as one JSON document.")


def loaded(file: str | None) -> Loaded:
    """The configuration that --config, MCPLATCH_CONFIG or the folder leads to, or Stop."""
    environ = everything()
    place = find(file, environ)
    try:
        return load(place, environ)
    except ConfigError as wrong:
        where = str(place) if place else "no configuration file was found"
        lines = "\n".join(f"  - {mistake}" for mistake in wrong.mistakes)
        step = "mcplatch init writes a configuration" if place is None else ""
        raise Stop(f"{where}\n{lines}", Exit.USAGE, next_step=step) from None

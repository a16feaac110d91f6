"""The door of configuration: mcplatch.toml and MCPLATCH_ variables in, a frozen Config out."""

from __future__ import annotations

from mcplatch.config.reading import ConfigError, Loaded, Origin, find, load
from mcplatch.config.settings import (
    Config,
    Lifetimes,
    Limits,
    RegisteredClient,
    Registration,
    Resource,
    Scope,
)
from mcplatch.config.values import Listen, Rate, Secret

__all__ = [
    "Config",
    "ConfigError",
    "Lifetimes",
    "Limits",
    "Listen",
    "Loaded",
    "Origin",
    "Rate",
    "RegisteredClient",
    "Registration",
    "Resource",
    "Scope",
    "Secret",
    "find",
    "load",
]

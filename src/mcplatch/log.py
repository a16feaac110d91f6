"""The door of logs: lines for people or JSON for programs, and no secret in either (CWE-532)."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import cache
from typing import Any, Final, Protocol, TextIO

REDACTED: Final = "[redacted]"

# A field with such a name is never written, whatever it holds.
_SECRET_FIELDS: Final = re.compile(
    r"(?:^|_)(?:password|secret|token|code|verifier|challenge|assertion|authorization|cookie|"
    r"credential|state|nonce|key)s?$",
    re.IGNORECASE,
)
# Text of such a shape is cut out of whatever holds it: our tokens, anybody's JWT, a value beside
# the name of a secret, an Authorization header.
_SECRET_SHAPES: Final = (
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*"),
    re.compile(r"(?<=bearer )\S+|(?<=basic )\S+", re.IGNORECASE),
    re.compile(
        r"(?<=[?&;\s\"'])((?:access_token|refresh_token|id_token|token|code|code_verifier|"
        r"client_secret|client_assertion|password|state)[\"']?\s?[=:]\s?[\"']?)[^&\s\"';,}]+",
        re.IGNORECASE,
    ),
    re.compile(r"(?<![\w/.-])[A-Za-z0-9_-]{40,}(?![\w-])"),
)


class Log(Protocol):
    """Writes one event a line; each keyword becomes a field."""

    def debug(self, event: str, **fields: Any) -> Any: ...
    def info(self, event: str, **fields: Any) -> Any: ...
    def warning(self, event: str, **fields: Any) -> Any: ...
    def error(self, event: str, **fields: Any) -> Any: ...
    def exception(self, event: str, **fields: Any) -> Any: ...


@cache
def log() -> Log:
    """Where to write; `set_up` decides what becomes of it."""
    import structlog

    made: Log = structlog.wrap_logger(
        logging.getLogger("mcplatch"),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
    )
    return made


def set_up(form: str, *, access: bool = False, stream: TextIO | None = None) -> None:
    """Sends everything this process logs to `stream` (standard error) as "console" or "json".

    Lines about single requests only with `access`: one costs as much as answering a small request.
    """
    import structlog

    render: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("mcplatch.access").setLevel(logging.INFO if access else logging.WARNING)
    for chatty in ("uvicorn.error", "httpx2", "httpcore2", "alembic", "mcp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def redact(
    logger: object, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: the same event without anything that is or looks like a secret."""
    return {name: _field(name, value) for name, value in event.items()}


def without_secrets(text: str) -> str:
    """The text with everything that looks like a secret cut out of it."""
    for shape in _SECRET_SHAPES:
        text = shape.sub(rf"\g<1>{REDACTED}" if shape.groups else REDACTED, text)
    return text


def _field(name: str, value: object) -> object:
    if _SECRET_FIELDS.search(name) and value is not None:
        return REDACTED
    return _value(value)


def _value(value: object) -> object:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, bytes):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(name): _field(str(name), below) for name, below in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(below) for below in value]
    if value is None or isinstance(value, int | float):
        return value
    return without_secrets(str(value))

"""A "no" is a value: what a rule answers when the protocol says no (RFC 6749 section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One way to be refused, kept as a constant beside the rule that uses it.

    `name` is what the audit and the tests see; `error` and `sentence` are what a client sees.
    Reasons that an attacker must not tell apart share both. `status` is the HTTP status on a
    machine endpoint.
    """

    name: str
    error: str
    sentence: str
    source: str
    status: int = 400


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused message. `detail` is for people who run or own the server, never for the wire."""

    reason: Reason
    detail: str = ""

"""The store's port: questions by equality, changes as values, and `settle` (one transaction, all or
none).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from mcplatch.records import Record, changed

R = TypeVar("R", bound=Record)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Put:
    """Adds a record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Replace:
    """Turns `old` into `new` if what differs between them is still as in `old`: exactly one wins.

    Spending a code and revoking a grant are replacements that set a time that was not set before.
    """

    old: Record
    new: Record
    columns: tuple[str, ...] | None = None
    """What may differ between them; None lets the store compare them whole."""


def replacing(old: R, **values: Any) -> tuple[R, Replace]:
    """The record with some fields replaced, and the change that makes it so."""
    new = changed(old, **values)
    return new, Replace(old, new, tuple(values))


@dataclass(frozen=True, slots=True)
class Forget:
    """Deletes a record."""

    record: Record


@dataclass(frozen=True, slots=True)
class Sweep:
    """Deletes at most `limit` records whose `column` comes before `before`.

    Seconds for a time; for the key of rows that are named by their time, a text.
    """

    record: type[Record]
    column: str
    before: int | str
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Blank:
    """Empties `column` of at most `limit` records named by a time before `before`."""

    record: type[Record]
    column: str
    before: str
    limit: int = 1000


Change = Put | Replace | Forget | Sweep | Blank


class Contended(Exception):
    """Somebody else changed the same thing first; `settle` runs the work again by itself."""


class StoreDown(Exception):
    """The database cannot be used now. Nothing was written; try again shortly (503, never a
    refusal).
    """


class SchemaNewer(Exception):
    """The database was made by a newer mcplatch. Run that version, or restore a backup made before
    it.
    """


class Transaction(Protocol):
    """What the work of one transaction may do: ask and apply. `now` is the store's clock,
    seconds.
    """

    @property
    def now(self) -> int: ...

    def one(self, record: type[R], *, lock: bool = False, **equal: Any) -> R | None:
        """The record whose columns equal `equal`, or None. `lock` holds its row until the end."""
        ...

    def all(
        self, record: type[R], *, limit: int = 100, newest: str | None = None, **equal: Any
    ) -> list[R]:
        """At most `limit` records whose columns equal `equal`, newest first by column `newest`."""
        ...

    def apply(self, changes: Iterable[Change]) -> int:
        """Carries out `changes` in order and counts the rows. Raises `Contended`."""
        ...


class Store(Protocol):
    """A database. Both methods raise `StoreDown`."""

    async def settle(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in one durable transaction; `work` may run again, so it only asks and
        applies.

        An exception from `work` undoes everything it applied and is raised here.
        """
        ...

    async def look(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work`, which only asks."""
        ...

    async def close(self) -> None:
        """Finishes what was accepted and lets the database go."""
        ...

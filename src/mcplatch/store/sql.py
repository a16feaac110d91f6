"""The one SQL layer: SQLAlchemy writes each statement once a dialect, the driver runs its text.

Measured: handing a compiled text to the driver costs a few microseconds, going through SQLAlchemy's
execution layer ten times that, and every request of the token endpoint runs half a dozen of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from mcplatch.records import Record
from mcplatch.store.port import Change, Contended, Forget, Put, Replace, Sweep
from mcplatch.store.tables import SHAPES, Shape

R = TypeVar("R", bound=Record)

Execute = Callable[[str, dict[str, Any]], Any]

# Spelled out, because SQLite's dialect would otherwise add an offset as a bound parameter of its
# own.
_NONE: sa.ColumnElement[int] = sa.literal_column("0")


class Statements:
    """Every statement used so far, as text, for one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._texts: dict[Any, str] = {}

    def text(self, key: Any, build: Callable[[], Any]) -> str:
        """The text of the statement that `build` describes, compiled at its first use."""
        found = self._texts.get(key)
        if found is None:
            found = str(build().compile(dialect=self._dialect))
            self._texts[key] = found
        return found


class SqlTransaction:
    """Asks and applies over one open transaction of a driver (see `port.Transaction`)."""

    __slots__ = ("_execute", "_locks", "_statements", "now")

    def __init__(
        self, execute: Execute, statements: Statements, now: int, *, locks: bool = True
    ) -> None:
        self._execute = execute
        self._statements = statements
        self._locks = locks
        self.now = now

    def one(self, record: type[R], *, lock: bool = False, **equal: Any) -> R | None:
        """See `port.Transaction.one`."""
        shape = SHAPES[record]
        lock = lock and self._locks
        key = (record, "one", lock, *((name, value is None) for name, value in equal.items()))
        text = self._statements.text(key, lambda: _select(shape, equal, lock=lock))
        row = self._execute(text, _bound(shape, equal)).fetchone()
        return None if row is None else shape.read(row)

    def all(
        self, record: type[R], *, limit: int = 100, newest: str | None = None, **equal: Any
    ) -> list[R]:
        """See `port.Transaction.all`."""
        shape = SHAPES[record]
        key = (record, "all", newest, *((name, value is None) for name, value in equal.items()))
        text = self._statements.text(key, lambda: _select_many(shape, equal, newest))
        rows = self._execute(text, {**_bound(shape, equal), "at_most": limit}).fetchall()
        return [shape.read(row) for row in rows]

    def apply(self, changes: Iterable[Change]) -> int:
        """See `port.Transaction.apply`."""
        return sum(self._apply(change) for change in changes)

    def _apply(self, change: Change) -> int:
        match change:
            case Put(record):
                return self._put(SHAPES[type(record)], record)
            case Replace(old, new):
                return self._replace(SHAPES[type(old)], old, new)
            case Forget(record):
                return self._forget(SHAPES[type(record)], record)
            case Sweep():
                return self._sweep(SHAPES[change.record], change)

    def _put(self, shape: Shape, record: Any) -> int:
        columns = shape.columns
        if getattr(record, shape.key) is None:
            columns = tuple(name for name in columns if name != shape.key)
        text = self._statements.text(
            (shape.record, "put", len(columns)),
            lambda: sa.insert(shape.table).values({c: sa.bindparam(c) for c in columns}).inline(),
        )
        self._execute(text, {name: shape.value(record, name) for name in columns})
        return 1

    def _replace(self, shape: Shape, old: Any, new: Any) -> int:
        changed = tuple(c for c in shape.columns if getattr(old, c) != getattr(new, c))
        if not changed:
            return 0
        text = self._statements.text(
            (shape.record, "replace", changed), lambda: _update(shape, changed)
        )
        values = {f"new_{name}": shape.value(new, name) for name in changed}
        values |= {f"old_{name}": shape.value(old, name) for name in changed}
        values["the_key"] = getattr(old, shape.key)
        if self._execute(text, values).rowcount != 1:
            raise Contended(f"{shape.table.name} was changed by somebody else")
        return 1

    def _forget(self, shape: Shape, record: Any) -> int:
        text = self._statements.text(
            (shape.record, "forget"),
            lambda: sa.delete(shape.table).where(
                shape.table.c[shape.key] == sa.bindparam("the_key")
            ),
        )
        return int(self._execute(text, {"the_key": getattr(record, shape.key)}).rowcount)

    def _sweep(self, shape: Shape, change: Sweep) -> int:
        text = self._statements.text(
            (shape.record, "sweep", change.column), lambda: _sweep(shape, change.column)
        )
        values = {"before": change.before, "at_most": change.limit}
        return int(self._execute(text, values).rowcount)


def _bound(shape: Shape, equal: dict[str, Any]) -> dict[str, Any]:
    return {
        name: " ".join(value) if name in shape.words else value
        for name, value in equal.items()
        if value is not None
    }


def _conditions(shape: Shape, equal: dict[str, Any]) -> Sequence[Any]:
    return [
        shape.table.c[name].is_(None)
        if value is None
        else shape.table.c[name] == sa.bindparam(name, type_=shape.table.c[name].type)
        for name, value in equal.items()
    ]


def _select(shape: Shape, equal: dict[str, Any], *, lock: bool) -> Any:
    found = sa.select(shape.table).where(*_conditions(shape, equal))
    return found.with_for_update() if lock else found


def _select_many(shape: Shape, equal: dict[str, Any], newest: str | None) -> Any:
    found = sa.select(shape.table).where(*_conditions(shape, equal))
    if newest is not None:
        found = found.order_by(shape.table.c[newest].desc())
    return found.limit(sa.bindparam("at_most", type_=sa.Integer())).offset(_NONE)


def _update(shape: Shape, changed: tuple[str, ...]) -> Any:
    table = shape.table
    return (
        sa.update(table)
        .where(table.c[shape.key] == sa.bindparam("the_key"))
        .where(
            *(
                table.c[c].is_not_distinct_from(sa.bindparam(f"old_{c}", type_=table.c[c].type))
                for c in changed
            )
        )
        .values({c: sa.bindparam(f"new_{c}", type_=table.c[c].type) for c in changed})
    )


def _sweep(shape: Shape, column: str) -> Any:
    table, key = shape.table, shape.table.c[shape.key]
    old = (
        sa.select(key)
        .where(table.c[column] < sa.bindparam("before", type_=table.c[column].type))
        .limit(sa.bindparam("at_most", type_=sa.Integer()))
        .offset(_NONE)
    )
    return sa.delete(table).where(key.in_(old))

"""The one SQL layer: SQLAlchemy writes each statement once a dialect, the driver runs its text.

Measured: handing a compiled text and a tuple to the driver costs a few microseconds, going through
SQLAlchemy's execution layer ten times that, and every request of the token endpoint runs half a
dozen of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect

from mcplatch.records import Record
from mcplatch.store.port import Blank, Change, Contended, Forget, Put, Replace, Sweep
from mcplatch.store.tables import SHAPES, Shape

R = TypeVar("R", bound=Record)

Execute = Callable[[str, Sequence[Any]], Any]
Prepared = tuple[str, tuple[str, ...]]
"""A text and the names of its parameters, in the order in which the driver wants them."""

# Spelled out, because SQLite's dialect would otherwise add an offset as a bound parameter of its
# own.
_NONE: sa.ColumnElement[int] = sa.literal_column("0")


class Statements:
    """Every statement used so far, as text, for one dialect with positional parameters."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._prepared: dict[Any, Prepared] = {}
        self._orders: dict[tuple[type[Any], tuple[str, ...]], tuple[str, ...]] = {}

    def get(self, key: Any, build: Callable[..., Any], *arguments: Any) -> Prepared:
        """The statement that `build` describes, compiled at its first use."""
        found = self._prepared.get(key)
        if found is None:
            compiled = build(*arguments).compile(dialect=self._dialect)
            found = str(compiled), tuple(compiled.positiontup or ())
            self._prepared[key] = found
        return found

    def ordered(self, shape: Shape, columns: tuple[str, ...]) -> tuple[str, ...]:
        """`columns` in the order of the table."""
        found = self._orders.get((shape.record, columns))
        if found is None:
            found = tuple(name for name in shape.columns if name in columns)
            self._orders[shape.record, columns] = found
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
        key = (record, lock and self._locks, *_asked(equal))
        text, names = self._statements.get(key, _select, shape, equal, key[1])
        # One value is bound as it is; an empty column is part of the text and binds nothing.
        alone = len(equal) == len(names) == 1
        values = tuple(equal.values()) if alone else _bound(shape, equal, names)
        row = self._execute(text, values).fetchone()
        return None if row is None else shape.read(row)

    def all(
        self, record: type[R], *, limit: int = 100, newest: str | None = None, **equal: Any
    ) -> list[R]:
        """See `port.Transaction.all`."""
        shape = SHAPES[record]
        text, names = self._statements.get(
            (record, "all", newest, *_asked(equal)), _select_many, shape, equal, newest
        )
        values = _bound(shape, {**equal, "at_most": limit}, names)
        return [shape.read(row) for row in self._execute(text, values).fetchall()]

    def apply(self, changes: Iterable[Change]) -> int:
        """See `port.Transaction.apply`."""
        return sum([self._apply(change) for change in changes])

    def _apply(self, change: Change) -> int:
        match change:
            case Put(record):
                return self._put(SHAPES[type(record)], record)
            case Replace(old, new, columns):
                shape = SHAPES[type(old)]
                return self._replace(shape, old, new, columns or _differing(shape, old, new))
            case Forget(record):
                return self._forget(SHAPES[type(record)], record)
            case Sweep() | Blank():
                return self._sweep(SHAPES[change.record], change)

    def _put(self, shape: Shape, record: Any) -> int:
        values = shape.row(record)
        if getattr(record, shape.key) is None:
            # The database numbers these rows itself.
            place = shape.columns.index(shape.key)
            values = values[:place] + values[place + 1 :]
        text, _ = self._statements.get((shape.record, len(values)), _insert, shape, len(values))
        self._execute(text, values)
        return 1

    def _replace(self, shape: Shape, old: Any, new: Any, columns: tuple[str, ...]) -> int:
        if not columns:
            return 0
        # SQLAlchemy sets columns in the order of the table, whatever the order they are named in.
        ordered = self._statements.ordered(shape, columns)
        text, _ = self._statements.get((shape.record, ordered), _update, shape, ordered)
        values = (*shape.some(new, ordered), getattr(old, shape.key), *shape.some(old, ordered))
        if self._execute(text, values).rowcount != 1:
            raise Contended(f"{shape.table.name} was changed by somebody else")
        return 1

    def _forget(self, shape: Shape, record: Any) -> int:
        text, _ = self._statements.get((shape.record, "forget"), _delete, shape)
        return int(self._execute(text, (getattr(record, shape.key),)).rowcount)

    def _sweep(self, shape: Shape, change: Sweep | Blank) -> int:
        build = _sweep if isinstance(change, Sweep) else _blank
        text, names = self._statements.get(
            (shape.record, build, change.column), build, shape, change.column
        )
        values = {"before": change.before, "at_most": change.limit}
        return int(self._execute(text, tuple(values[name] for name in names)).rowcount)


def _differing(shape: Shape, old: Any, new: Any) -> tuple[str, ...]:
    return tuple(name for name in shape.columns if getattr(old, name) != getattr(new, name))


def _asked(equal: dict[str, Any]) -> Iterable[Any]:
    """What tells one question from another: the columns, and which of them must be empty."""
    if None in equal.values():
        return [(name, value is None) for name, value in equal.items()]
    return equal


def _bound(shape: Shape, equal: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([" ".join(equal[name]) if name in shape.words else equal[name] for name in names])


def _conditions(shape: Shape, equal: dict[str, Any]) -> list[Any]:
    return [
        shape.table.c[name].is_(None)
        if value is None
        else shape.table.c[name] == _parameter(shape, name)
        for name, value in equal.items()
    ]


def _parameter(shape: Shape, column: str, name: str = "") -> Any:
    return sa.bindparam(name or column, type_=shape.table.c[column].type)


def _select(shape: Shape, equal: dict[str, Any], lock: bool) -> Any:
    found = sa.select(shape.table).where(*_conditions(shape, equal))
    return found.with_for_update() if lock else found


def _select_many(shape: Shape, equal: dict[str, Any], newest: str | None) -> Any:
    found = sa.select(shape.table).where(*_conditions(shape, equal))
    if newest is not None:
        found = found.order_by(shape.table.c[newest].desc())
    return found.limit(sa.bindparam("at_most", type_=sa.Integer())).offset(_NONE)


def _insert(shape: Shape, count: int) -> Any:
    columns = [c for c in shape.columns if count == len(shape.columns) or c != shape.key]
    return sa.insert(shape.table).values({c: _parameter(shape, c) for c in columns}).inline()


def _update(shape: Shape, columns: tuple[str, ...]) -> Any:
    table = shape.table
    same = [table.c[c].is_not_distinct_from(_parameter(shape, c, f"old_{c}")) for c in columns]
    return (
        sa.update(table)
        .where(table.c[shape.key] == _parameter(shape, shape.key, "the_key"), *same)
        .values({c: _parameter(shape, c, f"new_{c}") for c in columns})
    )


def _delete(shape: Shape) -> Any:
    return sa.delete(shape.table).where(shape.table.c[shape.key] == _parameter(shape, shape.key))


def _sweep(shape: Shape, column: str) -> Any:
    table, key = shape.table, shape.table.c[shape.key]
    old = (
        sa.select(key)
        .where(table.c[column] < _parameter(shape, column, "before"))
        .limit(sa.bindparam("at_most", type_=sa.Integer()))
        .offset(_NONE)
    )
    return sa.delete(table).where(key.in_(old))


def _blank(shape: Shape, column: str) -> Any:
    table, key = shape.table, shape.table.c[shape.key]
    full = (
        sa.select(key)
        .where(key < _parameter(shape, shape.key, "before"), table.c[column].is_not(None))
        .limit(sa.bindparam("at_most", type_=sa.Integer()))
        .offset(_NONE)
    )
    return sa.update(table).where(key.in_(full)).values({column: sa.null()})

"""The tables, drawn from the records: SQLAlchemy holds the schema, the migrations and the SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, get_args, get_type_hints

import sqlalchemy as sa

from mcplatch import records

METADATA = sa.MetaData()

_KEYS: dict[type[records.Record], str] = {
    records.Client: "client_id",
    records.User: "user_id",
    records.Session: "session_hash",
    records.Interaction: "interaction_id",
    records.Grant: "grant_id",
    records.AuthorizationCode: "code_hash",
    records.RefreshToken: "token_hash",
    records.AccessToken: "token_hash",
    records.SigningKey: "kid",
    records.Bucket: "key",
    records.AuditEvent: "event_id",
    records.Deployment: "name",
}

# Each index is a tree that every insert has to touch; one is here only if a question needs it.
# Rows that are named by their time are swept by their name.
_INDEXES: dict[type[records.Record], tuple[str, ...]] = {
    records.Client: ("expires_at",),
    records.Session: ("user_id",),
    records.Grant: ("user_id", "client_id"),
    records.Bucket: ("full_at",),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """How a record lies in its table. `words` are the fields kept as one space-separated text."""

    record: type[Any]
    table: sa.Table
    columns: tuple[str, ...]
    key: str
    words: frozenset[str]
    word_places: tuple[int, ...]
    fields_of: Callable[[Any], tuple[Any, ...]]

    def read(self, row: Any) -> Any:
        """A record from a row that has the columns in their order."""
        if self.word_places:
            row = list(row)
            for place in self.word_places:
                row[place] = tuple(row[place].split())
        return self.record(*row)

    def some(self, record: Any, columns: tuple[str, ...]) -> list[Any]:
        """What the table keeps of some columns of a record."""
        return [
            " ".join(getattr(record, name)) if name in self.words else getattr(record, name)
            for name in columns
        ]

    def row(self, record: Any) -> tuple[Any, ...]:
        """What the table keeps of a record, in the order of the columns."""
        values = self.fields_of(record)
        if not self.word_places:
            return values
        kept = list(values)
        for place in self.word_places:
            kept[place] = " ".join(kept[place])
        return tuple(kept)


def _column_type(hint: Any) -> tuple[Any, bool, bool]:
    parts = set(get_args(hint)) or {hint}
    optional = type(None) in parts
    if any(getattr(part, "__origin__", None) is tuple for part in (*parts, hint)):
        return sa.Text(), False, True
    if int in parts:
        return sa.BigInteger().with_variant(sa.Integer, "sqlite"), optional, False
    if bytes in parts:
        return sa.LargeBinary(), optional, False
    return sa.Text(), optional, False


def _table_name(record: type[Any]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", record.__name__).lower()


def _shape(record: type[Any]) -> Shape:
    hints = get_type_hints(record)
    names = tuple(field.name for field in fields(record))
    key = _KEYS[record]
    columns, words = [], set()
    for name in names:
        kind, optional, is_words = _column_type(hints[name])
        if is_words:
            words.add(name)
        columns.append(
            sa.Column(
                name,
                kind,
                primary_key=name == key,
                nullable=optional and name != key,
                unique=True if name == "username" else None,
            )
        )
    # Rows found by a random text need no second tree that finds them by number.
    by_number = hints[key] is not str
    table = sa.Table(_table_name(record), METADATA, *columns, sqlite_with_rowid=by_number)
    for name in _INDEXES.get(record, ()):
        sa.Index(f"{table.name}_{name}", table.c[name])
    places = tuple(place for place, name in enumerate(names) if name in words)
    return Shape(record, table, names, key, frozenset(words), places, attrgetter(*names))


SHAPES: dict[type[Any], Shape] = {record: _shape(record) for record in _KEYS}

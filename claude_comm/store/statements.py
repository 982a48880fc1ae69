"""Statements that every table shares: many rows at once in, and rows out as values.

Law: columns are named, never counted, so that one which another tool has added keeps its default.

Two things decide what a row costs, both measured with Python's `sqlite3`: a statement that carries many rows takes a
third less than `executemany`, and a value that is neither `int`, `float`, `str` nor `bytearray` is first looked up
among the adapters, at half a microsecond each. So rows hold `bytearray` for bytes and empty text for what is not there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias, TypeVar

import msgspec

Row: TypeAlias = tuple[Any, ...]
Writer: TypeAlias = sqlite3.Connection
R = TypeVar("R", bound=msgspec.Struct)

Decoder: TypeAlias = Callable[[Any], Any]
NO_DECODERS: Mapping[str, Decoder] = {}

# Rows in one statement: beyond, nothing is gained, and SQLite's limit of 32,766 values is far.
ROWS_AT_ONCE = 200


def records(cursor: sqlite3.Cursor, kind: type[R], *, decode: Mapping[str, Decoder] = NO_DECODERS) -> list[R]:
    """The rows of a query as values of `kind`, each field from the column of its name.

    `decode` says how the text of single columns becomes a value. No field depends on where its column stands.
    """
    names = [column[0] for column in cursor.description]
    rows = (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    return [kind(**row | {name: read(row[name]) for name, read in decode.items()}) for row in rows]


def insert_into(table: str, kind: type[msgspec.Struct]) -> str:
    """The statement that inserts one `msgspec.structs.astuple` of `kind`, each field into the column of its name.

    Columns that another tool has added to the table keep their defaults.
    """
    columns = kind.__struct_fields__
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def insert_rows(writer: Writer, table: str, columns: str, rows: Sequence[Row], conflict: str = "") -> int:
    """Inserts the rows, each with a value a column, and returns how many rows that made or changed.

    `conflict` is the end of the statement: `ON CONFLICT ...`.
    """
    changed = 0
    for part in _parts(rows):
        sql = f"INSERT INTO {table} ({columns}) VALUES {_values(len(part), len(part[0]))} {conflict}"
        changed += writer.execute(sql, list(chain.from_iterable(part))).rowcount
    return changed


def select_with(writer: Writer, table: str, columns: str, rows: Sequence[Row], query: str) -> Iterator[Row]:
    """What `query` finds where these rows are a table of that name, with these columns."""
    for part in _parts(rows):
        sql = f"WITH {table} ({columns}) AS (VALUES {_values(len(part), len(part[0]))}) {query}"
        yield from writer.execute(sql, list(chain.from_iterable(part)))


def _parts(rows: Sequence[Row]) -> Iterable[Sequence[Row]]:
    return (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))


@lru_cache(maxsize=ROWS_AT_ONCE)
def _values(rows: int, width: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * rows)

"""SQL of a person, who may read everything and change nothing.

Law: the file is opened for reading alone, and the statement is checked as SQLite compiles it: no other file is
attached, no extension loaded, nothing written. A statement that takes too long is stopped; a reader never holds up the
writer.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from claude_comm.errors import ConfigurationError, StoreError

# What SQLite may do while it runs a statement: read tables and columns, call functions, walk recursive queries.
_ALLOWED = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE))
_FORBIDDEN_FUNCTIONS = frozenset(("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"))
# Steps of SQLite's machine between two looks at the clock: some tenths of a millisecond.
_STEPS = 10_000


class Selection(msgspec.Struct, frozen=True):
    """The rows that a statement selects; `more` when there are rows beyond the limit."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    more: bool


def ask(path: Path, sql: str, *, limit: int, within_s: float) -> Selection:
    """The first rows of a statement's answer. Raises ConfigurationError for one that may not be run or is no SQL,
    StoreError for one that was stopped, or a database that cannot be read."""
    if not path.is_file():
        raise StoreError(f"there is no projection in {path} yet: `claude-comm list` makes one.")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA query_only = ON")
            deadline = time.monotonic() + within_s
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            connection.set_authorizer(_authorize)
            return _answer(connection, sql, limit)
    except (sqlite3.ProgrammingError, sqlite3.Warning) as error:
        # Python's own: two statements, or values that are missing.
        raise ConfigurationError(str(error)) from None
    except sqlite3.Error as error:
        raise _refusal(error, within_s) from None


def _answer(connection: sqlite3.Connection, sql: str, limit: int) -> Selection:
    cursor = connection.execute(sql)
    columns = [column[0] for column in cursor.description or ()]
    rows: Sequence[tuple[Any, ...]] = cursor.fetchmany(limit + 1)
    return Selection(columns, list(rows[:limit]), len(rows) > limit)


def _authorize(action: int, _first: str | None, second: str | None, _database: str | None, _inner: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and str(second).lower() in _FORBIDDEN_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _refusal(error: sqlite3.Error, within_s: float) -> ConfigurationError | StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return StoreError(
            f"the statement was stopped after {within_s:g} s: ask for less, or give it more with --within."
        )
    if code in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY) or "not authorized" in str(error):
        return ConfigurationError(f"only reading is allowed here: {error}. Write a SELECT.")
    if code == sqlite3.SQLITE_ERROR:
        return ConfigurationError(f"{error}. docs/tables.md lists the tables and their columns.")
    return StoreError(f"the statement failed: {error}.")

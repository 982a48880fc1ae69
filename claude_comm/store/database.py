"""The SQLite database: opened, brought up to date, and its errors made ours.

Law: `sqlite3` errors become StoreError here and nowhere else. Opening a database that is up to date reads one page
and writes nothing. A write is one `BEGIN IMMEDIATE` transaction: all of it or none of it, whatever kills the process.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

from claude_comm.envelope import DEFAULT_MAX_BYTES
from claude_comm.errors import StoreError, StoreNotReady
from claude_comm.runtime.home import make_private_file, make_private_folders
from claude_comm.store.checkpoint_cache import CheckpointCache
from claude_comm.store.name_table import NameTable
from claude_comm.store.recent_messages import RecentMessages
from claude_comm.store.statements import NO_DECODERS, Decoder, R, Row, Writer, records

# As long as the longest batch of twenty writers in a row may take on a slow disk.
BUSY_TIMEOUT_S = 30.0
_CACHE_KIB = 16 * 1024
_MIGRATIONS = Path(__file__).parent / "migrations"
# The script after which rows are moved by a function, in the same transaction.
_PACKS = "0006_packed.sql"
# A log that grew with one large batch is cut down to this when it begins anew.
_LOG_BYTES = 64 * 1024 * 1024
# A copy lets writers in between so many pages.
_BACKUP_PAGES = 4096
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Database:
    """One connection to the projection, for one thread at a time.

    `max_payload_bytes` is the largest payload that is stored; of a larger one there is a digest.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, max_payload_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.path, self._connection = path, connection
        self.max_payload_bytes = max_payload_bytes
        self.names, self.checkpoints = NameTable(), CheckpointCache()
        self.recent = RecentMessages()
        self._file = _identity(path)

    def replaced(self) -> bool:
        """Whether the path no longer names the file that was opened: what is written would be seen by nobody."""
        return _identity(self.path) != self._file

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """All rows of a query. Raises StoreError."""
        with _translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    def stream(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """The rows of a query one by one, for more of them than should be in memory. Raises StoreError."""
        with _translated(self.path):
            yield from self._connection.execute(sql, values)

    def records(
        self, kind: type[R], sql: str, values: Sequence[object] = (), *, decode: Mapping[str, Decoder] = NO_DECODERS
    ) -> list[R]:
        """All rows of a query as `records` makes them. Raises StoreError."""
        with _translated(self.path):
            return records(self._connection.execute(sql, values), kind, decode=decode)

    def each(self, sql: str, values: Sequence[object] = ()) -> Iterator[dict[str, Any]]:
        """The rows of a query one by one, by the names of their columns, all of one state. Raises StoreError."""
        with _translated(self.path):
            cursor = self._connection.execute(sql, values)
            names = [column[0] for column in cursor.description]
            for row in cursor:
                yield dict(zip(names, row, strict=True))

    @contextmanager
    def read(self) -> Iterator[Writer]:
        """The connection, to read from. Raises StoreError."""
        with _translated(self.path):
            yield self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several queries that see one state of the database."""
        with _translated(self.path), _transaction(self._connection, "BEGIN"):
            yield

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """One transaction, committed at the end of the block and undone by any error. Raises StoreError."""
        try:
            with _translated(self.path), _transaction(self._connection, "BEGIN IMMEDIATE"):
                yield self._connection
        except BaseException:
            self.names.forget()
            self.checkpoints.forget()
            self.recent.forget()
            raise

    def give_back(self, pages: int) -> None:
        """Up to so many free pages go back to the disk, where the file was made for it. Raises StoreError."""
        with _translated(self.path):
            # A row without columns for each page: a cursor takes the first for the end, a script does not.
            self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")

    def sync(self) -> None:
        """What is committed reaches the disk: with `NORMAL` a commit itself waits for no disk. Raises StoreError."""
        # What is not in the log any more was moved into the database, which SQLite flushes before it reuses the log.
        with suppress(FileNotFoundError), _translated(self.path), open(f"{self.path}-wal", "rb") as log:
            try:
                os.fsync(log.fileno())
            except OSError as error:
                raise StoreError(f"the log of {self.path} does not reach the disk: {error.strerror}.") from None

    def close(self) -> None:
        with _translated(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_database(
    path: str | Path,
    *,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    migrations: Path | None = None,
    synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
    max_payload_bytes: int = DEFAULT_MAX_BYTES,
) -> Database:
    """The database in this file, made and migrated if need be; any number of processes may do so at once.

    With `synchronous="NORMAL"` a commit may be lost with the power, never with the process: what is lost is folded
    from the streams again. With `"FULL"` it is on the disk.

    Raises StoreError: not a database, made by a newer release, a folder that cannot be used; StoreNotReady: locked for
    too long, or a full disk.
    """
    file = Path(path)
    with _translated(file):
        connection = _connect(file, busy_timeout_s)
        try:
            _prepare(connection, file, migrations or _MIGRATIONS, busy_timeout_s)
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        except BaseException:
            connection.close()
            raise
    return Database(file, connection, max_payload_bytes)


def open_to_read(path: str | Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """The database in this file, which is there and up to date; nothing can be written through it.

    Raises StoreError: no database, or one of another release.
    """
    file = Path(path)
    if not file.is_file():
        raise StoreError(f"there is no database {file}: `claude-comm list` makes the projection of this home.")
    with _translated(file):
        address = f"file:{quote(str(file.absolute()))}?mode=ro"
        connection = sqlite3.connect(
            address, uri=True, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            version = _version(connection)
        except BaseException:
            connection.close()
            raise
    if version != (known := len(list(_MIGRATIONS.glob("*.sql")))):
        connection.close()
        raise StoreError(
            f"{file} has schema {version}, and this claude-comm reads {known}: "
            + ("upgrade it." if version > known else "any command, such as `claude-comm list`, brings it up to date.")
        )
    return Database(file, connection)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _connect(file: Path, busy_timeout_s: float) -> sqlite3.Connection:
    try:
        make_private_folders(file.parent)
        make_private_file(file)
    except OSError as error:
        raise StoreError(f"the folder {file.parent} cannot be used: {error.strerror}.") from None
    return sqlite3.connect(file, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, file: Path, migrations: Path, busy_timeout_s: float) -> None:
    scripts = sorted(migrations.glob("*.sql"))
    version = _version(connection)
    if version > len(scripts):
        raise StoreError(
            f"{file} was written by a newer claude-comm (schema {version}, this one knows {len(scripts)}): upgrade it."
        )
    # A batch's pages stay in memory until its commit: with the default of 2 MB, 5,000 messages take twice as long.
    connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
    if version < len(scripts):
        if not version:
            # Before the first table, or it does nothing: what retention frees goes back to the disk.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _write_ahead(connection, busy_timeout_s)
        with _transaction(connection, "BEGIN IMMEDIATE"):
            _migrate(connection, file, scripts)
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")


def _migrate(connection: sqlite3.Connection, file: Path, scripts: Sequence[Path]) -> None:
    """Runs the scripts that are missing, after a copy of what is there was made beside it."""
    # Read again: another process may have migrated while this one waited for the lock.
    version = _version(connection)
    if 0 < version < len(scripts):
        back_up(file, backup_path(file, version))
    for number, script in enumerate(scripts[version:], start=version + 1):
        for statement in _statements(script.read_text(encoding="utf-8")):
            connection.execute(statement)
        if script.name == _PACKS:
            from claude_comm.store import repack  # four files that a database of today does not need

            repack.move(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def backup_path(file: Path, version: int) -> Path:
    """Where a database of this schema is kept when it is brought up to date."""
    return file.with_name(f"{file.name}.schema-{version}")


def back_up(file: Path, to: Path) -> None:
    """Copies what is committed into a new database file, while others read and write. Raises StoreError."""
    part = to.with_name(f"{to.name}.part")
    with _translated(to):
        try:
            part.unlink(missing_ok=True)
            make_private_file(part)
        except OSError as error:
            raise StoreError(f"{part} cannot be written: {error.strerror}.") from None
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target, pages=_BACKUP_PAGES)
            # One file: what reads it needs no log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
    part.replace(to)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _write_ahead(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Switches to write-ahead logging. SQLite does not wait for the lock that this takes, so the waiting is here."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _LOCKED or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _statements(script: str) -> Iterator[str]:
    """The statements of a script: `executescript` would commit the transaction that they must share."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = StoreNotReady if code in _MAY_PASS else StoreError
        raise kind(f"the database {file} cannot be used: {error}.{_NEXT_STEPS.get(code, '')}") from error


# A limit on the size of files, or a full disk under the index of the log, is an I/O error to SQLite.
_MAY_PASS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_NEXT_STEPS = {
    sqlite3.SQLITE_BUSY: " Another process has been writing to it for too long: try again.",
    sqlite3.SQLITE_CANTOPEN: " Check that its folder exists and may be written, or set CLAUDE_COMM_HOME.",
    sqlite3.SQLITE_CORRUPT: " Move it away: a projection is made anew from what the streams still hold.",
    sqlite3.SQLITE_FULL: " The disk is full: make room.",
    sqlite3.SQLITE_NOTADB: " Name another file, or move this one away.",
    sqlite3.SQLITE_READONLY: " Check that the file and its folder may be written.",
}

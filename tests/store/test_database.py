"""Opening the database: new, shared, up to date, foreign, newer, unusable."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from claude_comm.errors import StoreError
from claude_comm.store import database as database_module
from claude_comm.store.database import Database, open_database
from tests.support.homes import REPOSITORY
from tests.support.waiting import PATIENCE_S

PUBLIC = {
    "session_stats": [
        "session_id", "files_processed", "errors_encountered", "bytes_processed", "modules_active", "start_time",
        "end_time", "created_at",
    ],
    "file_operations": ["id", "session_id", "operation_type", "file_path", "status", "details", "created_at"],
    "module_communications": [
        "id", "session_id", "source_module", "target_module", "message_type", "status", "metrics", "created_at",
    ],
}  # fmt: skip


def test_the_public_tables_have_exactly_their_columns(tmp_path: Path) -> None:
    """Other programs read these three tables; all others exist beside them."""
    with open_database(tmp_path / "new" / "x.db") as database:
        for table, columns in PUBLIC.items():
            assert [row[1] for row in database.rows(f"PRAGMA table_info({table})")] == columns
        tables = {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    assert {"messages", "progress", "checkpoints", "deliveries", "events", "unreadable"} <= tables


def test_it_logs_ahead_and_does_not_wait_for_the_disk_at_every_commit(tmp_path: Path) -> None:
    """Readers never wait for the writer, and a killed process loses nothing that was committed."""
    with open_database(tmp_path / "x.db") as database:
        assert database.rows("PRAGMA journal_mode") == [("wal",)]
        assert database.rows("PRAGMA synchronous") == [(1,)]


@pytest.mark.long
def test_twenty_processes_that_open_the_same_new_file_all_succeed(tmp_path: Path) -> None:
    """One of them migrates; the others wait for it."""
    program = (
        "import sys; from claude_comm.store.database import Database, open_database\n"
        "sys.stdin.read(1)\n"
        "with open_database(sys.argv[1]) as d:\n"
        "    with d.write() as w: w.execute(\"INSERT INTO checkpoints VALUES (?, 1, '0-0', 0)\", (sys.argv[2],))\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "x.db"), str(number)], stdin=subprocess.PIPE, env=environ
        )
        for number in range(20)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"g")
        child.stdin.close()
    assert [child.wait(PATIENCE_S) for child in children] == [0] * 20
    with open_database(tmp_path / "x.db") as database:
        assert database.rows("SELECT count(*) FROM checkpoints") == [(20,)]


def test_twenty_threads_that_open_the_same_new_file_all_succeed(tmp_path: Path) -> None:
    """The same race within one process."""
    with ThreadPoolExecutor(20) as pool:
        for database in pool.map(open_database, [tmp_path / "x.db"] * 20):
            database.close()


def test_a_new_file_that_somebody_is_writing_to_is_waited_for(tmp_path: Path) -> None:
    """SQLite gives up at once on switching to write-ahead logging then, however long its timeout."""
    holder = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, holder.execute, ["COMMIT"])
    release.start()
    with open_database(tmp_path / "x.db") as database:
        assert database.rows("PRAGMA journal_mode") == [("wal",)]
    release.join()
    holder.close()


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    """Somebody else's file stays as it is."""
    file = tmp_path / "notes.txt"
    file.write_bytes(b"not a database at all " * 100)
    with pytest.raises(StoreError, match=r"notes\.txt cannot be used: file is not a database"):
        open_database(file)
    assert file.read_bytes() == b"not a database at all " * 100


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An old release must not write into tables that it does not know."""
    open_database(tmp_path / "x.db").close()
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection, connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match=r"newer claude-comm \(schema 999.*upgrade"):
        open_database(tmp_path / "x.db")


def test_a_folder_that_cannot_be_used_is_refused_with_the_next_step(tmp_path: Path) -> None:
    """A file where a folder should be, and a folder where the file should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the folder .* cannot be used"):
        open_database(tmp_path / "file" / "x.db")
    with pytest.raises(StoreError, match="unable to open database file"):
        open_database(tmp_path)


def test_a_locked_database_is_an_error_of_ours(tmp_path: Path) -> None:
    """After the timeout, with the reason; nothing of the refused write remains."""
    with open_database(tmp_path / "x.db") as holder, open_database(tmp_path / "x.db", busy_timeout_s=0.05) as second:
        with holder.write(), pytest.raises(StoreError, match=r"locked.*try again"), second.write():
            pass
        with second.write() as writer:
            writer.execute("INSERT INTO checkpoints VALUES ('s', 1, '0-0', 0)")


def test_an_error_undoes_the_whole_transaction(tmp_path: Path) -> None:
    """Whatever kind of error it is."""
    with open_database(tmp_path / "x.db") as database:
        with pytest.raises(ZeroDivisionError):
            _write_and_fail(database)
        assert database.rows("SELECT * FROM checkpoints") == []


def test_what_an_older_release_stored_is_kept_by_every_later_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    shutil.copy(database_module._MIGRATIONS / "0001_projection.sql", scripts)
    delivery = (7, "a", "id", "b", "buried", 3, 1, 2, "why", "$.n", 1)
    with monkeypatch.context() as older:
        older.setattr(database_module, "_MIGRATIONS", scripts)
        with open_database(tmp_path / "x.db") as database, database.write() as writer:
            writer.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", delivery)
    with open_database(tmp_path / "x.db") as database:
        columns = "source, message_id, consumer, status, attempts, sent_us, settled_us, reason, path, burials"
        assert database.rows(f"SELECT {columns} FROM deliveries") == [delivery[1:]]


def test_a_migration_that_fails_leaves_the_version_and_the_tables_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts and version travel in one transaction."""
    open_database(tmp_path / "x.db").close()
    scripts = tmp_path / "migrations"
    scripts.mkdir()
    for script in database_module._MIGRATIONS.glob("*.sql"):
        shutil.copy(script, scripts)
    (scripts / "9999_next.sql").write_text("CREATE TABLE second (x);\nCREATE TABLE second (x);")
    monkeypatch.setattr(database_module, "_MIGRATIONS", scripts)
    with pytest.raises(StoreError, match="already exists"):
        open_database(tmp_path / "x.db")
    (scripts / "9999_next.sql").write_text("CREATE TABLE second (x);")
    with open_database(tmp_path / "x.db") as database:
        assert database.rows("PRAGMA user_version") == [(len(list(scripts.iterdir())),)]
        assert database.rows("SELECT * FROM second") == []


def _write_and_fail(database: Database) -> None:
    with database.write() as writer:
        writer.execute("INSERT INTO checkpoints VALUES ('s', 1, '0-0', 0)")
        raise ZeroDivisionError


def test_no_statement_numbers_its_placeholders() -> None:
    """Python 3.12 warns of `?1` where values come in order, and Python 3.14 refuses it."""
    numbered = re.compile(r"[\s(=<>,]\?[1-9]\b")
    assert numbered.search("WHERE a = ?1")
    folder = Path(database_module.__file__).parent
    sources = [file for file in folder.rglob("*") if file.suffix in (".py", ".sql")]
    assert sources
    assert [file.name for file in sources if numbered.search(file.read_text(encoding="utf-8"))] == []

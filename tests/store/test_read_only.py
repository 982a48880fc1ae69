"""SQL of a person: everything can be read, and nothing else done."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_comm.errors import ConfigurationError, StoreError
from claude_comm.store.database import open_database
from claude_comm.store.read_only import ask
from tests.support.facts import envelope, events, handled, inbox, page, put


@pytest.fixture
def file(tmp_path: Path) -> Path:
    message = envelope(session="s")
    with open_database(tmp_path / "a b?.db") as database:
        put(database, page(inbox("b"), message, envelope()), page(events("b"), handled("b", message)))
    return tmp_path / "a b?.db"


def test_a_statement_is_answered_up_to_its_limit(file: Path) -> None:
    answer = ask(file, "SELECT number, status FROM messages ORDER BY 1", limit=1, within_s=60)
    assert (answer.columns, answer.rows, answer.more) == (["number", "status"], [(1, "handled")], True)
    counted = ask(
        file, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", limit=3, within_s=60
    )
    assert counted.rows == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH 'other.db' AS other",
        "DETACH main",
        "SELECT load_extension('x')",
        "INSERT INTO names (name) VALUES ('x')",
        "DELETE FROM packed_messages",
        "DROP TABLE names",
        "CREATE TEMP TABLE t (x)",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "VACUUM INTO 'copy.db'",
        "BEGIN IMMEDIATE",
        "SELECT nothing FROM nowhere",
        "not SQL",
        "SELECT 1; DROP TABLE names",
    ],
)
def test_what_is_no_reading_is_refused(file: Path, statement: str, tmp_path: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(ConfigurationError):
        ask(file, statement, limit=10, within_s=60)
    assert file.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name in ("copy.db", "other.db")]


def test_a_statement_without_end_is_stopped(file: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(StoreError, match=r"stopped after 0\.05 s"):
        ask(file, endless, limit=10, within_s=0.05)


def test_a_projection_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no projection"):
        ask(tmp_path / "none.db", "SELECT 1", limit=1, within_s=1)
    assert not (tmp_path / "none.db").exists()

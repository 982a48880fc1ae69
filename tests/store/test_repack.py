"""Old databases are brought up to date on opening, after a copy was made: every schema that a release ever had."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from claude_comm.store import database as database_module
from claude_comm.store import queries, statistics
from claude_comm.store.database import backup_path, open_database
from claude_comm.store.records import ProgressRow
from tests.support.facts import envelope, events, handled, inbox, page, put

CURRENT = len(list(database_module._MIGRATIONS.glob("*.sql")))
# The first schema whose rows are packed.
PACKED = 6
ID = "0199c82c-c00c-74ed-8000-0000000030{:02x}"
START_US = 1_760_000_000_000_000
MESSAGES = 25


def old_database(tmp_path: Path, version: int) -> Path:
    """A database as the release with this schema left it: messages in a session and without, handled, failed and
    waiting; an outcome that came before its message; a communication that a program recorded itself."""
    file, scripts = tmp_path / "x.db", tmp_path / f"schema-{version}"
    scripts.mkdir()
    for script in sorted(database_module._MIGRATIONS.glob("*.sql"))[:version]:
        shutil.copy(script, scripts)
    open_database(file, migrations=scripts).close()
    with closing(sqlite3.connect(file)) as old, old:
        old.execute("INSERT INTO module_communications VALUES (1, 's', 'p', 'q', 't', 'ok', '{}', '2026-01-01')")
        for number in range(1, MESSAGES + 1):
            communication = (number + 1, "s" if number % 2 else "", "a", "b", "message", "sent", "{}", "2026-01-01")
            old.execute("INSERT INTO module_communications VALUES (?, ?, ?, ?, ?, ?, ?, ?)", communication)
            old.execute("INSERT INTO messages VALUES (" + ", ".join("?" * 19) + ")", _message(number))
        for number in range(1, 11):
            status = "buried" if number == 10 else "handled"
            old.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _delivery(number, status))
        old.execute(
            "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (99, "a", "no message yet", "b", "handled", 1, 5, 6, "", "", 0),
        )
        event = (1, "b", ID.format(200), "b", "handled", "", START_US, "t:{m:b}:events", "5-0", b"\x80")
        old.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", event)
        old.execute("INSERT INTO checkpoints VALUES ('t:{m:b}:inbox', 1, '25-0', 25)")
    old.close()
    return file


def _message(number: int) -> tuple[object, ...]:
    id_ = ID.format(number) if number % 3 else f"an id of another kind {number}"
    session, headers = ("s" if number % 2 else ""), '{"h":"v"}' if number == 7 else "{}"
    empty = ("", "", "", "", "application/msgpack", headers, "")
    stream = ("t:{m:b}:inbox", f"{1_760_000_000_000 + number}-{number}", 100, b"\xa1x", number + 1)
    return (number, "a", id_, "b", "message", session, START_US + number, *empty, *stream)


def _delivery(number: int, status: str) -> tuple[object, ...]:
    id_, sent_us, burials = _message(number)[2], START_US + number, int(status == "buried")
    return (number, "a", id_, "b", status, 1, sent_us, sent_us + 5_000, "no" if burials else "", "", burials)


@pytest.mark.parametrize("version", range(1, PACKED))
def test_a_database_of_every_earlier_schema_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    file = old_database(tmp_path, version)
    with open_database(file) as database:
        assert database.rows("PRAGMA user_version") == [(CURRENT,)]
        rows = queries.messages(database)
        assert [row.number for row in rows] == [*range(MESSAGES, 0, -1)]
        first, seventh = rows[-1], rows[-7]
        assert (first.id, first.entry_id, first.status) == (ID.format(1), "1760000000001-1", "handled")
        assert (seventh.headers, seventh.stream, seventh.payload()) == ({"h": "v"}, "t:{m:b}:inbox", "x")
        assert queries.message(database, "an id of another kind 3").number == 3
        assert rows[-10].status == "failed"
        pair = statistics.pair_statistics(database, "a", "b")
        assert (pair.count, pair.handled, pair.failed, pair.pending) == (MESSAGES, 9, 1, 15)
        session = statistics.session_snapshot(database, "s")
        assert (session.messages, session.handled, session.failed, session.size_bytes) == (13, 5, 0, 1300)
        assert len(queries.messages(database, session="s")) == 13
        assert database.rows("SELECT message_id, message FROM deliveries WHERE message IS NULL") == [
            ("no message yet", None)
        ]
        assert database.rows("SELECT source_module FROM module_communications WHERE status = 'ok'") == [("p",)]
        assert database.rows("SELECT event_id, kind, entry_id FROM events") == [(ID.format(200), "handled", "5-0")]
        assert database.rows("PRAGMA integrity_check") == [("ok",)]
        left = {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert not [name for name in left if name.startswith("old_")]


_PROGRESS = """
INSERT INTO progress (module, task, completed, total, session, time_us) VALUES ('b', 'pages', 1, 4, 's', 5)
"""


@pytest.mark.parametrize("version", range(PACKED, CURRENT))
def test_packed_rows_stay_where_they_are(tmp_path: Path, version: int) -> None:
    file, scripts = tmp_path / "x.db", tmp_path / "scripts"
    scripts.mkdir()
    for script in sorted(database_module._MIGRATIONS.glob("*.sql"))[:version]:
        shutil.copy(script, scripts)
    message = envelope(session="s")
    with open_database(file, migrations=scripts) as database:
        put(database, page(inbox("b"), message), page(events("b"), handled("b", message)))
        with database.write() as writer:
            writer.execute(_PROGRESS)
    with open_database(file) as database:
        task = ProgressRow("b", "pages", 1, 4, "s", 5)
        assert queries.progress(database) == [task]
        assert (task.rate, task.eta_s, task.state) == (0, None, "running")
        assert [(row.id, row.status) for row in queries.messages(database, session="s")] == [(message.id, "handled")]
    assert backup_path(file, version).is_file()


@pytest.mark.parametrize("version", range(1, PACKED))
def test_what_was_there_before_is_kept_in_a_file_beside_it(tmp_path: Path, version: int) -> None:
    """Whole, and without a log beside it: an older release opens it as it is."""
    file = old_database(tmp_path, version)
    open_database(file).close()
    kept = sqlite3.connect(backup_path(file, version))
    assert kept.execute("PRAGMA user_version").fetchall() == [(version,)]
    assert kept.execute("SELECT count(*) FROM messages").fetchall() == [(MESSAGES,)]
    kept.close()
    assert oct(backup_path(file, version).stat().st_mode)[-3:] == "600"
    assert sorted(path.name for path in tmp_path.glob("x.db.schema-*")) == [f"x.db.schema-{version}"]


def test_a_move_that_is_cut_off_leaves_the_old_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows move in the transaction that changes the schema."""
    file = old_database(tmp_path, 4)
    with monkeypatch.context() as broken:
        broken.setattr("claude_comm.store.repack._PAGE", 10)
        broken.setattr("claude_comm.store.repack._events", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            open_database(file)
    with closing(sqlite3.connect(file)) as old, old:
        assert old.execute("SELECT count(*) FROM deliveries").fetchall() == [(11,)]
        assert old.execute("PRAGMA user_version").fetchall() == [(4,)]
    old.close()
    with open_database(file) as database:
        assert len(queries.messages(database)) == MESSAGES

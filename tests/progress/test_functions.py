"""The asyncio progress functions, through their front door."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import claude_comm.progress
from claude_comm.errors import ConfigurationError, StoreError
from claude_comm.progress import (
    cleanup_old_sessions,
    get_operation_summary,
    get_recent_file_operations,
    get_session_statistics,
    init_database,
    log_file_operation,
    track_module_communication,
    update_session_stats,
)
from claude_comm.store.database import open_database
from tests.support.facts import envelope, events, handled, inbox, page, put
from tests.support.homes import child_environ


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "progress.db"


def test_they_work_on_a_database_that_does_not_exist_yet(path: Path) -> None:
    """Reading one that nobody made finds nothing in it."""
    assert asyncio.run(get_session_statistics(str(path), "s")) is None
    assert asyncio.run(get_recent_file_operations(path, "s")) == []
    assert asyncio.run(cleanup_old_sessions(path)) == 0
    asyncio.run(init_database(path))


def test_only_what_is_given_changes(path: Path) -> None:
    """Values are absolute, not added."""

    async def work() -> dict[str, Any] | None:
        await update_session_stats(path, "s", files_processed=5, bytes_processed=10, modules_active=["b", "a"])
        await update_session_stats(path, "s", files_processed=3, errors_encountered=0)
        await update_session_stats(path, "s")
        return await get_session_statistics(path, "s")

    found = asyncio.run(work())
    assert found is not None
    assert found.pop("created_at").endswith("+00:00")
    assert found == {
        "session_id": "s", "files_processed": 3, "errors_encountered": 0, "bytes_processed": 10,
        "modules_active": ["b", "a"], "start_time": None, "end_time": None,
    }  # fmt: skip


def test_twenty_first_upserts_of_one_session_at_once_all_succeed(path: Path) -> None:
    """On a file that does not exist; one row comes of it."""

    async def work() -> None:
        await asyncio.gather(*(update_session_stats(path, "s", files_processed=n) for n in range(20)))

    asyncio.run(work())
    with open_database(path) as database:
        assert database.rows("SELECT count(*) FROM session_stats") == [(1,)]


@pytest.mark.parametrize(
    "given",
    [
        datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        datetime(2026, 1, 31, 9, 30),
        datetime(2026, 1, 31, 10, 30, tzinfo=timezone(timedelta(hours=1))),
        "2026-01-31T09:30:00",
        "2026-01-31T09:30:00Z",
        "2026-01-31 10:30+01:00",
        1769851800,
        1769851800.0,
    ],
)
def test_a_time_may_be_a_datetime_text_or_seconds(path: Path, given: datetime | str | float) -> None:
    """Stored in one form; without a zone it is UTC."""
    asyncio.run(update_session_stats(path, "s", start_time=given))
    found = asyncio.run(get_session_statistics(path, "s"))
    assert found is not None
    assert found["start_time"] == "2026-01-31T09:30:00.000000+00:00"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"session_id": ""}, "session"),
        ({"session_id": "a\x00b"}, "session"),
        ({"files_processed": -1}, "files_processed"),
        ({"files_processed": True}, "files_processed"),
        ({"files_processed": 1.5}, "files_processed"),
        ({"bytes_processed": 2**70}, "bytes_processed"),
        ({"errors_encountered": math.nan}, "errors_encountered"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"start_time": math.nan}, "start_time"),
        ({"end_time": True}, "end_time"),
        ({"end_time": 1e300}, "end_time"),
        ({"modules_active": "reader"}, "modules_active"),
        ({"modules_active": [1]}, "modules_active"),
        ({"modules_active": 7}, "modules_active"),
    ],
)
def test_what_a_session_cannot_hold_is_refused_by_name(path: Path, arguments: dict[str, Any], named: str) -> None:
    """Before anything is written."""
    with pytest.raises(ConfigurationError, match=named):
        asyncio.run(update_session_stats(path, **{"session_id": "s", **arguments}))
    assert not path.exists()


def test_file_operations_come_newest_first_with_their_details(path: Path) -> None:
    """Those of one instant by id, so the order of writing is kept."""

    async def work() -> list[dict[str, Any]]:
        for number in range(15):
            await log_file_operation(path, "s", "read", f"f{number}", "success", {"n": number, "deep": [None, "é\x07"]})
        await log_file_operation(path, "other", "read", "x", "success", None)
        return await get_recent_file_operations(path, "s")

    found = asyncio.run(work())
    assert [row["file_path"] for row in found] == [f"f{number}" for number in range(14, 4, -1)]
    assert found[0]["details"] == {"n": 14, "deep": [None, "é\x07"]}
    assert set(found[0]) == {"id", "session_id", "operation_type", "file_path", "status", "details", "created_at"}
    assert len(asyncio.run(get_recent_file_operations(path, "s", limit=100))) == 15
    assert asyncio.run(get_recent_file_operations(path, "s", 0)) == []


def test_operations_of_one_instant_are_ordered_by_id(path: Path) -> None:
    """The clock alone would leave them in any order."""
    for number in range(5):
        asyncio.run(log_file_operation(path, "s", "read", str(number), "ok"))
    with open_database(path) as database, database.write() as writer:
        writer.execute("UPDATE file_operations SET created_at = '2026-01-01T00:00:00.000000+00:00'")
    assert [row["file_path"] for row in asyncio.run(get_recent_file_operations(path, "s"))] == list("43210")


def test_a_summary_counts_by_outcome_and_type(path: Path) -> None:
    """A status that is neither word of success nor of failure is in the total alone."""
    for kind, status in [
        ("read", "success"),
        ("read", "Completed"),
        ("write", "failed"),
        ("write", "ERROR"),
        ("x", "?"),
    ]:
        asyncio.run(log_file_operation(path, "s", kind, "p", status))
    assert asyncio.run(get_operation_summary(path, "s")) == {
        "total_operations": 5,
        "successful_operations": 2,
        "failed_operations": 2,
        "operation_types": {"read": 2, "write": 2, "x": 1},
    }
    assert asyncio.run(get_operation_summary(path, "none"))["total_operations"] == 0


@pytest.mark.parametrize(
    "arguments",
    [("s", "", "p", "ok"), ("s", "read", "", "ok"), ("s", "read", "p", ""), ("s", "read", "p", "ok", {"x": object()}),
     ("s", "read", 7, "ok"), ("s", "\ud800", "p", "ok")],
)  # fmt: skip
def test_a_file_operation_is_checked_at_the_door(path: Path, arguments: tuple[Any, ...]) -> None:
    """Each with the name of what is wrong."""
    with pytest.raises(ConfigurationError):
        asyncio.run(log_file_operation(path, *arguments))


def test_a_path_of_an_old_disk_is_kept_as_escapes(path: Path) -> None:
    """File names are bytes; those that are no text arrive as lone surrogates."""
    asyncio.run(log_file_operation(path, "s", "read", "caf\udce9", "ok"))
    asyncio.run(log_file_operation(path, "s", "read", Path("/x/y"), "ok"))
    assert [row["file_path"] for row in asyncio.run(get_recent_file_operations(path, "s"))] == ["/x/y", "caf\\udce9"]


def test_a_communication_is_recorded_beside_those_of_the_projection(path: Path) -> None:
    """One table, two writers, no collision of ids."""
    first = asyncio.run(track_module_communication(path, "s", "a", "b", "t", "sent", {"ms": 1.5}))
    message = envelope(session="s")
    with open_database(path) as database:
        put(database, page(inbox("b"), message))
    third = asyncio.run(track_module_communication(path, "s", "a", "b", "t", "sent", None))
    with open_database(path) as database:
        put(database, page(events("b"), handled("b", message)))
        rows = database.rows("SELECT id, status, metrics FROM module_communications ORDER BY id")
    assert (first, third) == (1, 3)
    assert [row[:2] for row in rows] == [(1, "sent"), (2, "handled"), (3, "sent")]
    assert rows[0][2] == '{"ms":1.5}'


def test_cleanup_removes_old_sessions_with_all_their_rows(path: Path) -> None:
    """A session's age is that of its end, else its start, else its row."""
    now = datetime.now(UTC)

    async def work() -> None:
        old, young = now - timedelta(days=40), now - timedelta(days=1)
        await update_session_stats(path, "ended-long-ago", start_time=old, end_time=old)
        await update_session_stats(path, "ended-lately", start_time=old, end_time=young)
        await update_session_stats(path, "begun-long-ago", start_time=old)
        await update_session_stats(path, "just-made")
        for session in ("ended-long-ago", "ended-lately"):
            await log_file_operation(path, session, "read", "p", "ok")
            await track_module_communication(path, session, "a", "b", "t", "sent")

    asyncio.run(work())
    gone, kept = envelope(session="ended-long-ago"), envelope(session="ended-lately", time=int(now.timestamp() * 1e6))
    with open_database(path) as database:
        put(database, page(inbox("b"), gone, kept), page(events("b"), handled("b", gone, kept)))
        with database.write() as writer:
            writer.execute("UPDATE session_stats SET end_time = '2020-01-01' WHERE session_id = 'ended-long-ago'")
    assert asyncio.run(cleanup_old_sessions(path, days_to_keep=30)) == 2
    assert asyncio.run(cleanup_old_sessions(path)) == 0
    with open_database(path) as database:
        assert database.rows("SELECT session_id FROM session_stats ORDER BY 1") == [("ended-lately",), ("just-made",)]
        assert database.rows("SELECT session_id FROM file_operations") == [("ended-lately",)]
        assert {row[0] for row in database.rows("SELECT session_id FROM module_communications")} == {"ended-lately"}
        assert database.rows("SELECT message_id FROM messages") == [(kept.id,)]
        assert database.rows("SELECT message_id FROM deliveries") == [(kept.id,)]


@pytest.mark.parametrize("days", [-1, math.nan, True, "30", None])
def test_days_to_keep_is_a_number_of_days(path: Path, days: Any) -> None:
    """Nothing is removed on a guess."""
    with pytest.raises(ConfigurationError, match="days_to_keep"):
        asyncio.run(cleanup_old_sessions(path, days))


@pytest.mark.parametrize("days", [math.inf, 1e300, 10**400, 10**6])
def test_more_days_than_there_were_keep_everything(path: Path, days: float) -> None:
    """No overflow, no loss."""
    asyncio.run(update_session_stats(path, "s", end_time="0001-01-02"))
    assert asyncio.run(cleanup_old_sessions(path, days)) == 0


def test_a_database_that_cannot_be_used_is_a_store_error(tmp_path: Path) -> None:
    """Through the asyncio door as well."""
    with pytest.raises(StoreError):
        asyncio.run(init_database(tmp_path))


def test_the_front_door_imports_nothing_until_a_name_is_used() -> None:
    """The pure floors below import this package, and must not pull SQLite in."""
    program = (
        "import sys, claude_comm.progress.fold\n"
        "assert not {'sqlite3', 'asyncio', 'redis'} & set(sys.modules), sorted(sys.modules)\n"
        "from claude_comm.progress import init_database\n"
        "assert 'sqlite3' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], env=child_environ(), check=True)
    assert set(claude_comm.progress.__all__) <= set(dir(claude_comm.progress))
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = claude_comm.progress.nothing_such

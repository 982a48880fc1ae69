"""Whatever happens to who stores, the projection is whole afterwards: `verify` compares it with the streams."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.errors import StoreNotReady
from claude_comm.names import Keys
from claude_comm.store import sessions
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.verify import verify
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S

LIMIT = 1 << 20
COUNT = 40
DIED = 9


@pytest.fixture
def keys(settings: Settings) -> Keys:
    return Keys(settings.namespace)


@pytest.fixture(autouse=True)
def streams(settings: Settings) -> None:
    """Messages of a session, most of them handled, some buried."""
    with Publisher("a", settings=settings) as publisher, Consumer("b", settings=settings) as consumer:
        publisher.publish_many("b", [{"n": n, "text": "x" * 1_000} for n in range(COUNT)], session="s")
        for number, delivery in zip(range(COUNT - 5), consumer, strict=False):
            if number % 10:
                consumer.ack(delivery)
            else:
                consumer.fail(delivery, "no")


def store(settings: Settings, database: Database) -> int:
    with connect(settings) as client:
        return catch_up(client, database, Keys(settings.namespace), max_bytes=LIMIT)


def assert_whole(client: Client, keys: Keys, path: Path) -> None:
    with open_database(path) as database:
        catch_up(client, database, keys, max_bytes=LIMIT)
        found = verify(client, database, keys, max_bytes=LIMIT)
        assert found.problems == []
        assert [check for check in found.streams if check.missing or check.differing] == []
        assert database.rows("SELECT count(*) FROM packed_messages") == [(COUNT,)]


def dies_at(settings: Settings, path: Path, number: int) -> bool:
    """Stores in a process that dies before its statement of that number; whether it got there."""
    child = os.fork()
    if not child:
        try:
            with open_database(path) as database:
                left = iter(range(number))
                database._connection.set_trace_callback(lambda _sql: next(left, None) is not None or os._exit(DIED))
                store(settings, database)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED


@pytest.mark.long
def test_a_process_that_dies_at_any_statement_leaves_it_whole(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    open_database(tmp_path / "empty.db").close()
    path, number = tmp_path / "x.db", 0
    while True:
        shutil.copy(tmp_path / "empty.db", path)
        if not dies_at(settings, path, number):
            break
        assert_whole(client, keys, path)
        for file in tmp_path.glob("x.db*"):
            file.unlink()
        number += 1
    assert number > 20


def test_several_that_store_at_once_leave_it_whole(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    together = threading.Barrier(4)

    def one(_number: int) -> None:
        with open_database(path) as database:
            together.wait(PATIENCE_S)
            store(settings, database)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert_whole(client, keys, path)


def test_a_disk_that_is_full_for_a_while_leaves_it_whole(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    with open_database(path) as database:
        ((pages,),) = database.rows("PRAGMA page_count")
        database.rows(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreNotReady, match="full"):
            store(settings, database)
        assert database.rows("SELECT count(*) FROM packed_messages") == [(0,)]
        database.rows("PRAGMA max_page_count = 1000000")
        store(settings, database)
    assert_whole(client, keys, path)


def test_another_writer_in_between_leaves_it_whole(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    path = tmp_path / "x.db"
    with open_database(path, busy_timeout_s=0.05) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreNotReady, match="try again"):
            store(settings, database)
        other.execute("COMMIT")
        other.close()
        store(settings, database)
    assert_whole(client, keys, path)


def test_updates_beside_logs_and_readers_while_messages_are_stored_raise_nothing(
    settings: Settings, client: Client, keys: Keys, tmp_path: Path
) -> None:
    """Twenty first upserts of one session, ten updates beside ten logs, and readers, all at once."""
    path = tmp_path / "x.db"

    def update(number: int) -> None:
        sessions.update_session_stats(path, "first", files_processed=number)
        sessions.update_session_stats(path, "second", bytes_processed=number)

    def log(number: int) -> None:
        sessions.log_file_operation(path, "second", "read", f"/file/{number}", "success")

    def read(_number: int) -> None:
        for _ in range(5):
            sessions.get_session_statistics(path, "second")

    def project(_number: int) -> None:
        with open_database(path) as database:
            store(settings, database)

    works = [(update, n) for n in range(20)] + [(log, n) for n in range(10)] + [(read, 0)] * 5 + [(project, 0)] * 2
    together = threading.Barrier(len(works))

    def run(work: tuple[object, int]) -> None:
        together.wait(PATIENCE_S)
        work[0](work[1])  # type: ignore[operator]

    with ThreadPoolExecutor(len(works)) as pool:
        list(pool.map(run, works))
    assert_whole(client, keys, path)
    with open_database(path) as database:
        assert database.rows("SELECT count(*) FROM session_stats WHERE session_id = 'first'") == [(1,)]
        assert database.rows("SELECT count(*) FROM file_operations WHERE session_id = 'second'") == [(10,)]

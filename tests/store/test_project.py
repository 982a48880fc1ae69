"""The projection: each row once, whatever is read twice, by whom, and in which order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from claude_comm.errors import StoreError
from claude_comm.progress.events import FileOperation, Lifecycle, TaskProgress
from claude_comm.store import checkpoints, project
from claude_comm.store.database import Database, open_database
from claude_comm.store.project import FactPage
from claude_comm.store.statistics import pair_statistics, session_snapshot
from tests.support.facts import (
    KEYS,
    START_US,
    buried,
    dump,
    envelope,
    events,
    handled,
    happened,
    inbox,
    page,
    put,
    retried,
    settled,
    stream,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def test_a_page_projected_twice_changes_nothing_the_second_time(database: Database) -> None:
    """The checkpoint inside the transaction drops what was stored."""
    pages = [page(inbox("b"), *(envelope(session="s") for _ in range(10)))]
    assert put(database, *pages).messages == 10
    before = dump(database)
    assert put(database, *pages).entries == 0
    assert dump(database) == before
    assert checkpoints.load(database)[inbox("b").key] == checkpoints.Checkpoint(1, "10-0", 10)


def test_pages_that_overlap_add_only_what_is_new(database: Database) -> None:
    """Two that catch up at once read different amounts."""
    sent = [envelope(session="s") for _ in range(10)]
    put(database, page(inbox("b"), *sent[:6]))
    assert put(database, page(inbox("b"), *sent[2:], first=3)).messages == 4
    assert database.rows("SELECT count(*) FROM messages") == [(10,)]


def test_ids_are_compared_as_numbers(database: Database) -> None:
    """'10-0' comes after '9-0', and '9-10' after '9-9'."""
    sent = [envelope() for _ in range(12)]
    whole = page(inbox("b"), *sent)
    put(database, FactPage(whole.stream, 1, whole.facts[:9]))
    assert put(database, whole).messages == 3
    assert checkpoints.position("9-10") > checkpoints.position("9-9")


def test_a_message_that_lies_twice_in_a_stream_is_one_row(database: Database) -> None:
    """A publish that was retried after a lost reply."""
    message = envelope(session="s")
    done = put(database, page(inbox("b"), message, envelope(session="s"), message))
    assert (done.entries, done.messages) == (3, 2)
    assert [number for (number,) in database.rows("SELECT number FROM messages")] == [1, 2]
    assert database.rows("SELECT count(*) FROM module_communications") == [(2,)]


def test_one_id_from_two_sources_is_two_messages(database: Database) -> None:
    """Identity is the source and the id together."""
    put(database, page(inbox("b"), envelope("a", id="same"), envelope("c", id="same")))
    assert database.rows("SELECT count(*) FROM messages") == [(2,)]


def test_ids_that_moved_backwards_are_read_again_without_doubling(database: Database) -> None:
    """A server restored from a backup: what was seen adds nothing, what is new is added."""
    old = [envelope(session="s") for _ in range(5)]
    told = [happened("a", FileOperation("read", "p", "success", 7), session="s")]
    put(database, page(inbox("b"), *old, first=100), page(events("a"), *told, first=100))
    before = dump(database)
    found = checkpoints.load(database)
    checkpoints.restart(database, {key: (point, 0) for key, point in found.items()})
    put(database, page(inbox("b"), *old[:3], first=1, epoch=2), page(events("a"), *told, first=1, epoch=2))
    assert dump(database) == before
    assert put(database, page(inbox("b"), envelope(session="s"), first=4, epoch=2)).messages == 1
    assert checkpoints.load(database)[inbox("b").key] == checkpoints.Checkpoint(2, "4-0", 4)


def test_a_page_of_an_older_epoch_is_dropped(database: Database) -> None:
    """It was read before the stream moved; its ids would put the checkpoint ahead again."""
    late = page(inbox("b"), envelope(), first=500)
    put(database, page(inbox("b"), envelope(), first=100))
    found = checkpoints.load(database)[inbox("b").key]
    checkpoints.restart(database, {inbox("b").key: (found, 0)})
    assert put(database, late).entries == 0
    assert checkpoints.load(database)[inbox("b").key].entry_id == "0-0"


def test_two_that_see_a_stream_move_begin_one_epoch(database: Database) -> None:
    """The second finds the checkpoint changed and leaves it where it is by then."""
    put(database, page(inbox("b"), envelope(), first=100))
    found = {inbox("b").key: (checkpoints.load(database)[inbox("b").key], 0)}
    checkpoints.restart(database, found)
    put(database, page(inbox("b"), envelope(), first=7, epoch=2))
    checkpoints.restart(database, found)
    assert checkpoints.load(database)[inbox("b").key] == checkpoints.Checkpoint(2, "7-0", 1)


def test_a_handled_message_says_so_with_its_latency(database: Database) -> None:
    """One communication a message: sent, then handled."""
    message = envelope(session="s")
    put(database, page(inbox("b"), message))
    assert database.rows("SELECT status FROM module_communications") == [("sent",)]
    put(database, page(events("b"), handled("b", message, after_us=2500)))
    [(status, metrics)] = database.rows("SELECT status, metrics FROM module_communications")
    figures = msgspec.json.decode(metrics)
    assert status == "handled"
    assert (figures["latency_ms"], figures["attempts"], figures["size_bytes"] > 0) == (2.5, 1, True)


def test_a_topic_message_fails_if_any_consumer_buried_it(database: Database) -> None:
    """Several consumers, one communication; each delivery keeps its own row."""
    message = envelope(target="topic:x", session="s")
    topic = stream(KEYS.topic("x"))
    put(database, page(topic, message), page(events("b"), handled("b", message)))
    assert database.rows("SELECT status FROM module_communications") == [("handled",)]
    put(database, page(events("c"), buried("c", message)))
    assert database.rows("SELECT status FROM module_communications") == [("failed",)]
    assert database.rows("SELECT count(*) FROM deliveries") == [(2,)]
    assert database.rows("SELECT errors_encountered, modules_active FROM session_stats") == [(1, '["a","b","c"]')]


def test_a_buried_delivery_that_is_replayed_and_handled_is_handled(database: Database) -> None:
    """The latest outcome stands; the error was an error all the same."""
    message = envelope(session="s")
    put(database, page(inbox("b"), message), page(events("b"), buried("b", message)))
    put(database, page(events("b"), handled("b", message), first=2))
    assert database.rows("SELECT status, burials FROM deliveries") == [("handled", 1)]
    assert database.rows("SELECT status FROM module_communications") == [("handled",)]
    assert database.rows("SELECT errors_encountered FROM session_stats") == [(1,)]


def test_a_retried_delivery_is_open_until_it_is_settled(database: Database) -> None:
    message = envelope(session="s")

    def told() -> tuple[object, ...]:
        return (
            *database.rows("SELECT status, attempts, burials FROM deliveries")[0],
            *database.rows("SELECT status FROM module_communications")[0],
            *database.rows("SELECT errors_encountered FROM session_stats")[0],
        )

    put(database, page(inbox("b"), message), page(events("b"), retried("b", message, attempts=1)))
    assert told() == ("retrying", 1, 0, "retrying", 0)
    assert session_snapshot(database, "s").pending == 1
    assert pair_statistics(database, "a", "b").pending == 1
    put(database, page(events("b"), retried("b", message, attempts=2), first=2))
    assert told() == ("retrying", 2, 0, "retrying", 0)
    put(database, page(events("b"), buried("b", message), first=3))
    assert told() == ("buried", 3, 1, "failed", 1)
    put(database, page(events("b"), retried("b", message), first=4))
    assert told()[3:] == ("retrying", 1)
    put(database, page(events("b"), handled("b", message), first=5))
    assert told() == ("handled", 1, 1, "handled", 1)


@pytest.mark.long
def test_whatever_the_order_and_the_batches_the_tables_are_the_same(tmp_path: Path) -> None:
    """Messages and what became of them travel on different streams; a hundred interleavings agree."""
    sent = [envelope(target=("b", "topic:x")[n % 3 == 0], session=("s", "r", "")[n % 3]) for n in range(12)]
    to_b = [message for message in sent if message.target == "b"]
    to_x = [message for message in sent if message.target == "topic:x"]
    lanes = [
        (inbox("b"), to_b),
        (stream(KEYS.topic("x")), [*to_x, to_x[0]]),
        (events("b"), [retried("b", to_b[0]), handled("b", *to_b[:4]), buried("b", to_b[4]), buried("b", to_x[0]),
                       handled("b", to_x[0], to_b[4]), retried("b", to_b[5])]),
        (events("c"), [buried("c", to_x[0]), handled("c", *to_x[1:]),
                       happened("c", TaskProgress("t", 1, 2), session="r")]),
        (events("a"), [happened("a", FileOperation("read", "p", "failed"), session="s"),
                       happened("a", FileOperation("read", "q", "success", 9), session="s")]),
    ]  # fmt: skip
    expected = None
    for seed in range(100):
        chance = random.Random(seed)
        with open_database(tmp_path / f"{seed}.db") as database:
            at = [0] * len(lanes)
            while any(done < len(bodies) for done, (_, bodies) in zip(at, lanes, strict=True)):
                pages = []
                for lane, (of, bodies) in enumerate(lanes):
                    step = chance.randint(0, 3)
                    if bodies[at[lane] : at[lane] + step]:
                        pages.append(page(of, *bodies[at[lane] : at[lane] + step], first=at[lane] + 1))
                    at[lane] += step
                put(database, *pages)
            found = dump(database)
        expected = expected or found
        assert found == expected, f"seed {seed}"
    assert expected is not None
    sessions = {str(row[0]): row[1:5] for row in expected["session_stats"]}
    # Buried: to_b[4], and to_x[0] by both consumers.
    assert sessions["s"] == (1, 1 + sum(m.session == "s" for m in (to_b[4], to_x[0], to_x[0])), 9, '["a","b","c"]')


def test_a_session_adds_up_files_bytes_errors_and_times(database: Database) -> None:
    """Bytes are those of the files; a failed operation is an error and no file."""
    put(
        database,
        page(inbox("b"), envelope(session="s", time=START_US + 9_000_000), envelope(session="s", time=START_US)),
        page(
            events("r"),
            happened("r", FileOperation("read", "p", "success", 100, {"k": 1}), session="s", time=START_US + 1),
            happened("r", FileOperation("read", "q", "failed", 50), session="s", time=START_US + 2),
            happened("r", FileOperation("read", "z", "success", 1), time=START_US + 3),
        ),
    )
    columns = "files_processed, errors_encountered, bytes_processed, modules_active, start_time, end_time"
    assert database.rows(f"SELECT {columns} FROM session_stats") == [
        (1, 1, 100, '["a","r"]', "2025-10-09T08:53:20.000000+00:00", "2025-10-09T08:53:29.000000+00:00")
    ]
    assert database.rows("SELECT details FROM file_operations WHERE file_path = 'p'") == [('{"k":1}',)]


def test_the_last_progress_of_a_task_stands(database: Database) -> None:
    """By the order of its stream, not by its clock, which may be set back."""
    put(
        database,
        page(
            events("m"),
            happened("m", TaskProgress("t", 5, 10), time=START_US + 5),
            happened("m", TaskProgress("t", 7, 10), time=START_US),
            happened("m", Lifecycle("started", "i")),
        ),
    )
    assert database.rows("SELECT module, task, completed FROM progress") == [("m", "t", 7.0)]
    assert database.rows("SELECT kind, count(*) FROM events GROUP BY 1") == [("lifecycle", 1), ("progress", 2)]


def test_unreadable_entries_move_the_checkpoint_and_stay_visible(database: Database) -> None:
    """One bad entry stops nothing."""
    done = put(database, page(inbox("b"), b"\xc1", envelope(), b""))
    assert (done.entries, done.messages, done.unreadable) == (3, 1, 2)
    assert database.rows("SELECT entry_id FROM unreadable") == [("1-0",), ("3-0",)]


def test_a_number_never_names_a_second_message(database: Database) -> None:
    """Also after the newest message was removed with its session."""
    put(database, page(inbox("b"), envelope(), envelope()))
    with database.write() as writer:
        writer.execute("DELETE FROM packed_messages")
    put(database, page(inbox("b"), envelope(), first=3))
    assert database.rows("SELECT number FROM messages") == [(3,)]


def test_eight_that_project_the_same_streams_at_once_agree(tmp_path: Path) -> None:
    """Each reads overlapping pages from a connection of its own; every row is there once."""
    sent = [envelope(session="s") for _ in range(400)]
    told = [buried("b", message) for message in sent[:100]]
    whole, outcome = page(inbox("b"), *sent), page(events("b"), *told)

    def follow(seed: int) -> None:
        chance = random.Random(seed)
        with open_database(tmp_path / "x.db") as database:
            while True:
                known = checkpoints.load(database)
                pages = []
                for source in (whole, outcome):
                    done = known.get(source.stream, checkpoints.Checkpoint()).entries
                    if source.facts[done:]:
                        pages.append(FactPage(source.stream, 1, source.facts[done : done + chance.randint(1, 40)]))
                if not pages:
                    return
                project.project(database, pages)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, range(8)))
    with open_database(tmp_path / "x.db") as database:
        assert database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages") == [(400, 400)]
        assert database.rows("SELECT errors_encountered FROM session_stats") == [(100,)]
        assert database.rows("SELECT status, count(*) FROM module_communications GROUP BY 1") == [
            ("failed", 100),
            ("sent", 300),
        ]


def test_a_batch_that_fails_stores_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither rows nor checkpoint."""

    def full(*_: object) -> None:
        database.rows("SELECT * FROM no_such_table")

    monkeypatch.setattr(project, "save_in", full)
    before = dump(database)
    with pytest.raises(StoreError):
        put(database, page(inbox("b"), envelope(session="s")))
    assert dump(database) == before


def test_a_delivery_of_a_message_that_never_comes_is_kept(database: Database) -> None:
    """It was trimmed before this projection began, say."""
    message = envelope()
    put(database, page(events("b"), handled("b", message)))
    assert database.rows("SELECT source, message_id, status FROM deliveries") == [
        (settled(message).source, message.id, "handled")
    ]

"""Queries and statistics over a small projection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.errors import DecodeError, UnknownMessage
from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.store import queries, statistics
from claude_comm.store.database import Database, open_database
from tests.support.facts import KEYS, buried, envelope, events, handled, happened, inbox, page, put, stream


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def test_messages_come_newest_first_and_filtered(database: Database) -> None:
    """By target, source and session; a limit cuts the oldest off."""
    put(
        database,
        page(inbox("b"), envelope(data={"n": 1}, headers={"h": "v"}), envelope("c", session="s")),
        page(inbox("d"), envelope("c", "d", session="s")),
    )
    assert [row.number for row in queries.messages(database)] == [3, 2, 1]
    assert [row.number for row in queries.messages(database, limit=2)] == [3, 2]
    assert [row.number for row in queries.messages(database, target="b")] == [2, 1]
    assert [row.number for row in queries.messages(database, source="c", target="b")] == [2]
    assert [row.number for row in queries.messages(database, session="s")] == [3, 2]
    assert queries.messages(database, target="nobody") == []
    first = queries.message(database, "1")
    assert (first.payload(), first.headers, first.status) == ({"n": 1}, {"h": "v"}, "sent")
    assert first.timestamp.startswith("2025-10-09T08:53:20")


def test_a_message_is_found_by_number_by_id_and_by_a_unique_prefix(database: Database) -> None:
    """Digits are a number first, if there is such a one."""
    ids = ["abc-1", "abc-2", "abd", "abd-longer", "77", "0177"]
    put(database, page(inbox("b"), *(envelope(id=id_) for id_ in ids)))
    find = {
        reference: queries.message(database, reference).id for reference in ("1", "abc-2", "abd", "77", "01", "abd-")
    }
    assert find == {"1": "abc-1", "abc-2": "abc-2", "abd": "abd", "77": "77", "01": "0177", "abd-": "abd-longer"}


@pytest.mark.parametrize(
    ("reference", "matches"),
    [("ab", 3), ("", 3), ("zz", 0), ("99", 0), ("9" * 40, 0), ("%", 0), ("\ud800", 0), ("²", 0), ("a'b", 0)],
)
def test_an_unknown_message_says_how_many_it_could_be(database: Database, reference: str, matches: int) -> None:
    """An ambiguous prefix counts them; whatever else is typed is simply not there."""
    put(database, page(inbox("b"), *(envelope(id=id_) for id_ in ("abc", "abd", "abe"))))
    with pytest.raises(UnknownMessage) as caught:
        queries.message(database, reference)
    assert caught.value.matches == matches


def test_a_payload_that_cannot_be_decoded_stops_no_list(database: Database) -> None:
    """A foreign sender may write bad UTF-8 inside a well-formed envelope."""
    body = b"\x85\xa2id\xa1x\xa6source\xa1a\xa6target\xa1b\xa4time\x01\xa4data\xa2\xff\xff"
    put(database, page(inbox("b"), body))
    [row] = queries.messages(database)
    with pytest.raises(DecodeError, match="message 1"):
        row.payload()
    assert row.payload_or_bytes() == b"\xa2\xff\xff"


def test_progress_has_a_percentage_also_without_a_total(database: Database) -> None:
    """By module and task."""
    put(database, page(events("m"), happened("m", TaskProgress("t", 1, 4)), happened("m", TaskProgress("u", 1, 0))))
    assert [(row.task, row.percentage) for row in queries.progress(database, module="m")] == [("t", 25.0), ("u", 0.0)]
    assert [row.task for row in queries.progress(database, task="u")] == ["u"]
    assert queries.progress(database, module="n") == []


def test_a_pair_counts_inbox_and_topic_and_measures_latency(database: Database) -> None:
    """Nearest rank: every percentile is within 1.6 % of a latency that occurred."""
    direct = [envelope() for _ in range(20)]
    published = envelope(target="topic:x")
    put(database, page(inbox("b"), *direct), page(stream(KEYS.topic("x")), published))
    told = [handled("b", message, after_us=1000 * (n + 1)) for n, message in enumerate(direct[:10])]
    put(database, page(events("b"), *told, buried("b", direct[10]), handled("b", published, after_us=99_000)))
    found = statistics.pair_statistics(database, "a", "b")
    assert (found.count, found.handled, found.failed, found.pending) == (21, 11, 1, 9)
    assert found.success_rate == 11 / 12
    assert found.latency is not None
    assert found.latency.mean_ms == 14.0
    assert (found.latency.p50_ms, found.latency.p95_ms) == pytest.approx((6.0, 99.0), rel=0.016)
    assert statistics.pairs(database) == [("a", "b")]
    never = statistics.pair_statistics(database, "b", "a")
    assert (never.count, never.success_rate, never.latency) == (0, None, None)


def test_a_session_snapshot_is_one_state(database: Database) -> None:
    """What a monitor shows; an unknown session is all zeros."""
    sent = [envelope(session="s") for _ in range(3)]
    put(
        database,
        page(inbox("b"), *sent),
        page(events("b"), handled("b", sent[0]), buried("b", sent[1])),
        page(events("a"), happened("a", FileOperation("read", "p", "failed"), session="s"),
             happened("a", TaskProgress("t", 1, 2), session="s")),
    )  # fmt: skip
    found = statistics.session_snapshot(database, "s")
    assert (found.messages, found.handled, found.failed, found.pending) == (3, 1, 1, 1)
    assert found.session is not None
    assert found.session.errors_encountered == 2
    assert found.file_operations == {"failed": 1}
    assert [row.task for row in found.progress] == ["t"]
    nothing = statistics.session_snapshot(database, "unknown")
    assert (nothing.session, nothing.messages, nothing.latency) == (None, 0, None)


def test_counts_deliveries_sessions_files_and_unreadable(database: Database) -> None:
    """The other tables, read as they are."""
    message = envelope(session="s")
    put(database, page(inbox("b"), message, b"bad"), page(events("b"), buried("b", message, "broken")))
    put(database, page(events("a"), happened("a", FileOperation("r", "p", "success", 1, {"k": [1]}), session="s")))
    assert queries.counts(database) == queries.Counts(1, 2, 1, 1, 1, 1)
    [delivery] = queries.deliveries(database, queries.message(database, "1"))
    assert (delivery.consumer, delivery.status, delivery.attempts, delivery.reason, delivery.latency_ms) == (
        "b", "buried", 3, "broken", 5.0,
    )  # fmt: skip
    assert [row.session_id for row in queries.sessions(database)] == ["s"]
    assert [row.details for row in queries.file_operations(database)] == [{"k": [1]}]
    assert [row.prefix for row in queries.unreadable(database)] == [b"bad"]

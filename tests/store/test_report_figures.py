"""The figures of a report: counted once, in their time, within their scope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from claude_comm.envelope import Envelope
from claude_comm.progress.events import FileOperation, TaskProgress
from claude_comm.report.figures import HopFigures, Negotiated, Report
from claude_comm.store.database import Database, open_database
from claude_comm.store.report_figures import ReportScope, report
from tests.support.facts import KEYS as KEYS_OF_FACTS
from tests.support.facts import START_US, buried, envelope, events, handled, happened, inbox, page, put, retried, stream

MINUTE_US = 60_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def figures(database: Database, scope: ReportScope, **more: object) -> Report:
    return report(database, scope, now_us=START_US + 60 * MINUTE_US, version="1", **more)  # type: ignore[arg-type]


def at(minute: float, **fields: object) -> Envelope:
    return envelope(time=START_US + int(minute * MINUTE_US), session="s", **fields)


def test_a_session_is_counted_by_what_became_of_its_messages(database: Database) -> None:
    sent = [at(number) for number in range(10)]
    other = envelope(session="another")
    put(database, page(inbox("b"), *sent, other))
    put(
        database,
        page(
            events("b"),
            handled("b", *sent[:6], after_us=2_000),
            handled("b", sent[6], after_us=900_000),
            buried("b", sent[7], "is a text"),
            retried("b", sent[8], attempts=2),
            handled("b", other),
        ),
    )
    summary = figures(database, ReportScope("s")).summary
    assert (summary.messages, summary.handled, summary.buried, summary.pending) == (10, 7, 1, 2)
    assert summary.retried == 2  # the one that waits for its next attempt, and the one that was buried after three
    assert summary.latency is not None
    assert (round(summary.latency.p50_ms), summary.latency.max_ms) == (2, 900)
    assert figures(database, ReportScope()).summary.messages == 11


def test_burials_that_differ_in_numbers_alone_are_one_kind(database: Database) -> None:
    sent = [at(number) for number in range(4)]
    put(database, page(inbox("b"), *sent))
    reasons = ["page 3 is torn", "page 41 is torn", "page 5 is torn", "no page"]
    put(database, page(events("b"), *map(buried, "bbbb", sent, reasons)))
    kinds = figures(database, ReportScope("s")).burials
    assert [(kind.reason, kind.count, kind.example) for kind in kinds] == [
        ("page # is torn", 3, sent[2].id),
        ("no page", 1, sent[3].id),
    ]


def test_the_hops_and_their_latency_are_of_each_pair(database: Database) -> None:
    there, back = [at(0, data="x" * 50) for _ in range(4)], at(1, source="b", target="a")
    put(database, page(inbox("b"), *there), page(inbox("a"), back))
    put(database, page(events("b"), handled("b", *there, after_us=3_000)))
    first, second = figures(database, ReportScope("s")).hops
    assert (first.source, first.target, first.messages, first.handled, first.buried) == ("a", "b", 4, 4, 0)
    assert first.latency is not None
    assert first.latency.max_ms == 3
    assert second == HopFigures(source="b", target="a", messages=1, handled=0, buried=0, size_bytes=second.size_bytes)


def test_a_topic_is_one_message_and_a_hop_to_each_reader(database: Database) -> None:
    news = at(0, target="topic:news")
    put(database, page(stream(KEYS_OF_FACTS.topic("news")), news))
    put(database, page(events("b"), handled("b", news)), page(events("c"), buried("c", news)))
    made = figures(database, ReportScope("s"))
    assert (made.summary.messages, made.summary.handled, made.summary.buried) == (1, 0, 1)
    assert [(hop.source, hop.target) for hop in made.hops] == [("a", "b"), ("a", "c")]
    assert sum(sum(bucket.sent.values()) for bucket in made.buckets) == 1


def test_the_parts_of_the_time_hold_every_message_and_leave_no_gap(database: Database) -> None:
    sent = [at(minute) for minute in (0, 0.4, 7, 7.1, 30)]
    put(database, page(inbox("b"), *sent))
    made = figures(database, ReportScope("s"))
    assert sum(sum(bucket.sent.values()) for bucket in made.buckets) == 5
    assert len(made.buckets) <= 122
    starts = [bucket.start_us for bucket in made.buckets]
    assert starts == [starts[0] + step * made.bucket_us for step in range(len(starts))]
    assert starts[0] <= sent[0].time < starts[1]
    assert starts[-1] <= sent[-1].time < starts[-1] + made.bucket_us


def test_only_what_was_sent_since_is_counted(database: Database) -> None:
    put(database, page(inbox("b"), *(at(minute) for minute in range(10))))
    made = figures(database, ReportScope(since_us=START_US + 7 * MINUTE_US, since="3m"))
    assert (made.summary.messages, made.subject) == (3, "the last 3m")


def test_burials_are_grouped_and_name_a_message(database: Database) -> None:
    sent = [at(0) for _ in range(5)]
    put(database, page(inbox("b"), *sent))
    put(database, page(events("b"), *(buried("b", message, "is a text") for message in sent[:4]), buried("b", sent[4])))
    kinds = figures(database, ReportScope("s")).burials
    assert [(kind.consumer, kind.reason, kind.path, kind.count) for kind in kinds] == [
        ("b", "is a text", "/n", 4), ("b", "no", "/n", 1),
    ]  # fmt: skip
    assert kinds[0].example == sent[3].id


def test_the_slowest_come_first_with_what_finds_them(database: Database) -> None:
    sent = [at(0) for _ in range(30)]
    put(database, page(inbox("b"), *sent))
    put(database, page(events("b"), *(handled("b", message, after_us=1_000 * n) for n, message in enumerate(sent))))
    slowest = figures(database, ReportScope("s")).slowest
    assert [round(row.latency_ms) for row in slowest] == list(range(29, 9, -1))
    assert slowest[0].id == sent[-1].id


def test_tasks_and_files_are_those_of_the_scope(database: Database) -> None:
    done = happened("m", TaskProgress("convert", 3, 4), session="s")
    failed = happened("m", FileOperation("read", "/in/b.pdf", "failed"), session="s")
    read = happened("m", FileOperation("read", "/in/a.pdf", "success", 10), session="s")
    other = happened("m", TaskProgress("else", 1, 4), session="t")
    put(database, page(events("m"), done, read, failed, other))
    made = figures(database, ReportScope("s"))
    assert [(task.task, task.completed, task.state) for task in made.tasks] == [("convert", 3, "silent")]
    assert [(kind.operation, kind.succeeded, kind.failed, kind.last_failed) for kind in made.files] == [
        ("read", 1, 1, "/in/b.pdf")
    ]
    assert len(figures(database, ReportScope()).tasks) == 2


def test_the_newest_messages_are_listed_and_the_others_counted(database: Database) -> None:
    sent = [at(minute) for minute in range(6)]
    put(database, page(inbox("b"), *sent), page(events("b"), handled("b", sent[5])))
    made = figures(database, ReportScope("s"), lines=2)
    assert [(line.id, line.status) for line in made.lines] == [(sent[5].id, "handled"), (sent[4].id, "sent")]
    assert made.lines_left_out == 4


def test_negotiations_between_modules_of_the_report_are_shown_refusals_first(database: Database) -> None:
    put(database, page(inbox("b"), at(0)))
    given = [
        Negotiated(producer="a", consumer="b", answer="compatible"),
        Negotiated(producer="a", consumer="b", answer="incompatible", witness="5"),
        Negotiated(producer="a", consumer="elsewhere", answer="incompatible"),
    ]
    made = figures(database, ReportScope("s"), agreements=given)
    assert [item.answer for item in made.agreements or ()] == ["incompatible", "compatible"]


def test_a_report_of_nothing_is_one_too(database: Database) -> None:
    made = figures(database, ReportScope("nobody"))
    assert (made.summary.messages, made.buckets, made.hops) == (0, [], [])
    assert msgspec.json.decode(msgspec.json.encode(made), type=Report).subject == "session nobody"

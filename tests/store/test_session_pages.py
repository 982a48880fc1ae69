"""Sessions, their timelines and traces: in order, page by page, and never by walking a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm.errors import UnknownMessage
from claude_comm.progress.events import Cancelled, Delivered, SessionEvent, Settled
from claude_comm.store import outcomes, session_list, session_members, timelines, traces
from claude_comm.store.database import Database, open_database
from claude_comm.store.session_list import session, sessions
from claude_comm.store.sessions import cleanup_old_sessions
from claude_comm.store.timelines import timeline
from claude_comm.store.traces import trace
from tests.support.facts import START_US, buried, envelope, events, handled, happened, inbox, page, put, retried


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "x.db") as opened:
        yield opened


def times(found: timelines.TimelinePage) -> list[int]:
    return [row.message.time_us - START_US for row in found.rows]


def test_pages_of_a_timeline_are_the_session_in_its_order(database: Database) -> None:
    """Three pairs speak in turn, some of them at one moment; another session is not in it."""
    pairs = [("a", "b"), ("b", "c"), ("c", "a")]
    sent = [envelope(*pairs[n % 3], session="s", time=START_US + n // 2, id=f"{n:032x}") for n in range(40)] + [
        envelope("a", "b", session="t", time=START_US + 3)
    ]
    for target in ("a", "b", "c"):
        put(database, page(inbox(target), *(message for message in sent if message.target == target)))
    seen: list[int] = []
    numbers: list[int] = []
    after, pages = 0, 0
    while True:
        found = timeline(database, "s", limit=7, after=after)
        seen += times(found)
        numbers += [row.message.number for row in found.rows]
        after, pages = found.after, pages + 1
        if not found.more:
            break
    assert pages == 6
    assert seen == sorted(n // 2 for n in range(40))
    assert len(set(numbers)) == 40
    assert times(timeline(database, "s", limit=3, last=True)) == [18, 19, 19]
    assert timeline(database, "nobody", limit=3).rows == []


def test_failures_alone_are_those_of_the_session(database: Database) -> None:
    sent = [envelope("a", "b", session="s" if n % 2 else "t", time=START_US + n) for n in range(8)]
    put(database, page(inbox("b"), *sent))
    ends = [buried("b", sent[1]), retried("b", sent[3]), buried("b", sent[2]), handled("b", sent[5])]
    put(database, page(events("b"), *ends))
    found = timeline(database, "s", limit=9, failed=True)
    assert times(found) == [1, 3]
    assert [row.deliveries[0].status for row in found.rows] == ["buried", "retrying"]
    assert times(timeline(database, "s", limit=1, failed=True, after=found.rows[0].message.number)) == [3]
    assert timeline(database, "s", limit=1, failed=True).more


def test_a_trace_is_the_tree_below_a_message(database: Database) -> None:
    root = envelope("a", "b")
    first = envelope("b", "c", causation=root.id)
    below = envelope("c", "d", causation=first.id)
    second = envelope("b", "d", causation=root.id)
    put(database, page(inbox("b"), root), page(inbox("c"), first, envelope("x", "c")), page(inbox("d"), below, second))
    found = trace(database, root.id)
    shape = [(step.message.source, step.message.target, step.depth, step.last) for step in found.steps]
    assert shape == [("a", "b", 0, True), ("b", "c", 1, False), ("c", "d", 2, True), ("b", "d", 1, True)]
    assert not found.left_out
    assert [step.message.id for step in trace(database, first.id).steps] == [first.id, below.id]


def test_a_trace_that_goes_in_a_circle_ends(database: Database) -> None:
    one, two = envelope("a", "b"), envelope("b", "a")
    ring = [envelope("a", "b", id=one.id, causation=two.id), envelope("b", "a", id=two.id, causation=one.id)]
    put(database, page(inbox("b"), ring[0]), page(inbox("a"), ring[1], envelope("c", "a", id="self", causation="self")))
    assert [step.message.id for step in trace(database, one.id).steps] == [one.id, two.id]
    assert len(trace(database, "self").steps) == 1


def test_a_trace_is_bounded_and_says_so(database: Database) -> None:
    root = envelope("a", "b")
    put(database, page(inbox("b"), root), page(inbox("c"), *(envelope("b", "c", causation=root.id) for _ in range(50))))
    found = trace(database, root.id, limit=10)
    assert (len(found.steps), found.left_out) == (10, True)
    assert (len(trace(database, root.id, limit=51).steps), trace(database, root.id, limit=51).left_out) == (51, False)
    with pytest.raises(UnknownMessage):
        trace(database, "nothing")


def test_sessions_are_listed_by_when_they_were_active_a_page_at_a_time(database: Database) -> None:
    for n in range(7):
        put(database, page(inbox("b"), envelope("a", "b", session=f"s{n}", time=START_US + n % 4), first=1 + n))
    first = sessions(database, limit=4)
    rest = sessions(database, limit=4, after=first[-1].session)
    assert [row.session for row in first + rest] == ["s3", "s6", "s2", "s5", "s1", "s4", "s0"]
    assert {(row.messages, row.pending, row.state) for row in first} == {(1, 1, "pending")}


def test_a_session_is_open_while_anybody_has_it_open_and_then_as_it_ended_last(database: Database) -> None:
    def tell(number: int, module: str, event: SessionEvent) -> None:
        put(database, page(events(module), happened(module, event, session="s", time=START_US + number), first=number))

    tell(1, "a", SessionEvent("started", "i", 5))
    tell(2, "b", SessionEvent("started", "i", 6))
    tell(3, "a", SessionEvent("ended", "i", 5, "failed", "KeyError"))
    assert sessions(database, limit=1)[0].state == "open"
    tell(4, "b", SessionEvent("ended", "i", 6, "completed"))
    detail = session(database, "s")
    assert detail is not None
    assert detail.summary.state == "completed"
    assert [(one.module, one.outcome, one.reason) for one in detail.members] == [
        ("a", "failed", "KeyError"),
        ("b", "completed", ""),
    ]
    assert session(database, "t") is None


PLANS = {
    "sessions": (session_list._PAGE, ("~", "~", "", 20)),
    "one session": (session_list._ONE, ("s",)),
    "sums of a session": (session_list._SUMS, ("s",)),
    "state of a session": (session_list._STATE, ("s", "s")),
    "members of a session": (session_list._MEMBERS, ("s",)),
    "pairs of a timeline": (timelines._PAIRS, ("s",)),
    "page of a timeline": (timelines._OF_PAIR, ("s", 1, 2, 0, 0, 0, 20)),
    "failures of a timeline": (timelines._FAILURES, (3, 0, "s", 20)),
    "what a message caused": (traces._CAUSED, (b"x", 20)),
    "deliveries of a page": (outcomes._DELIVERIES, ("[1]",)),
    "open sessions": (session_members._LONG_OPEN, (5,)),
}
# A walk over a value that was handed in, over an index in its order from a key on, or over a partial index.
_ALLOWED = re.compile(r"SCAN (wanted|json_each)|USING (COVERING )?INDEX (session_members_open|deliveries_not_handled)")


@pytest.mark.parametrize("name", PLANS)
def test_no_query_of_the_views_walks_a_table(database: Database, name: str) -> None:
    sql, values = PLANS[name]
    plan = [detail for *_, detail in database.rows(f"EXPLAIN QUERY PLAN {sql}", values)]
    walks = [step for step in plan if "SCAN" in step and not _ALLOWED.search(step)]
    assert not walks, plan
    assert not [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step and name.startswith("page")], plan


def test_a_session_that_is_cleaned_up_leaves_no_member(database: Database) -> None:
    event = SessionEvent("started", "i", START_US)
    put(database, page(events("a"), happened("a", event, session="s", time=START_US)))
    assert cleanup_old_sessions(database.path, days_to_keep=0) == 1
    assert database.rows("SELECT count(*) FROM session_members") == [(0,)]
    assert session(database, "s") is None


def test_what_takes_long_is_being_handled_and_then_says_how_long_it_waited(database: Database) -> None:
    """Whichever is stored first, the message or the event."""
    slow, quick = envelope("a", "b", session="s"), envelope("a", "b", session="s")
    held = Delivered([Settled("a", slow.id, slow.time, slow.time + 3_000_000)])
    put(database, page(events("b"), happened("b", held)))
    put(database, page(inbox("b"), slow, quick))
    [delivery] = outcomes.deliveries_of(database, [1, 2])[1]
    assert (delivery.consumer, delivery.status, delivery.waited_ms) == ("b", "handling", 3_000)
    assert outcomes.deliveries_of(database, [2]) == {2: []}
    put(database, page(events("b"), handled("b", slow, quick, after_us=5_000_000), first=2))
    first, second = (rows[0] for rows in outcomes.deliveries_of(database, [1, 2]).values())
    assert (first.status, first.latency_ms, first.waited_ms) == ("handled", 5_000, 3_000)
    assert (second.status, second.waited_ms) == ("handled", None)


def test_what_was_given_up_is_held_by_nobody_and_a_later_attempt_is_held_again(database: Database) -> None:
    message = envelope("a", "b")
    row = Settled("a", message.id, message.time, message.time + 2_000_000)
    again = Settled("a", message.id, message.time, message.time + 9_000_000, 2)
    put(database, page(inbox("b"), message))
    put(database, page(events("b"), happened("b", Delivered([row])), happened("b", Cancelled([row], "stopped"))))
    assert outcomes.deliveries_of(database, [1]) == {1: []}
    put(database, page(events("b"), happened("b", Delivered([row])), retried("b", message), first=3))
    put(database, page(events("b"), happened("b", Delivered([again])), first=5))
    [delivery] = outcomes.deliveries_of(database, [1])[1]
    assert (delivery.status, delivery.waited_ms) == ("handling", 9_000)


def test_the_start_of_a_name_is_enough_where_one_session_alone_begins_so(database: Database) -> None:
    names = ["night-1", "night-12", "noon"]
    put(database, page(inbox("b"), *(envelope("a", "b", session=name) for name in names)))
    starts = ["no", "night-12", "night-1", "night", "evening", ""]
    assert [session_list.whole_name(database, start) for start in starts] == [
        "noon",
        "night-12",
        "night-1",
        *starts[3:],
    ]

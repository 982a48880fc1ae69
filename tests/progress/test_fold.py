"""Folding: every entry becomes one fact, whatever it holds."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.envelope import encode
from claude_comm.names import Keys
from claude_comm.progress.events import TaskProgress
from claude_comm.progress.fold import PREFIX_BYTES, Happened, SentEntry, UnreadableEntry, fold, fold_page
from claude_comm.store.database import open_database
from claude_comm.store.project import project
from tests.support.facts import entry, envelope, events, happened, inbox, page, put, raw

_NOT_JSON = msgspec.msgpack.Ext(5, b"")


def test_a_message_keeps_its_payload_as_bytes() -> None:
    """Folding never decodes a payload."""
    message = envelope(data={"n": 1})
    fact = fold_page(inbox("b"), [entry(1, message)])[0]
    assert isinstance(fact, SentEntry)
    assert bytes(fact.envelope.data) == raw({"n": 1})
    assert fact.size_bytes == len(encode(message))


def test_an_event_counts_only_on_an_events_stream() -> None:
    """Anybody may send a message of that type to an inbox; it stays a message."""
    event = happened("a", TaskProgress("t", 1, 2))
    assert isinstance(fold_page(inbox("b"), [entry(1, event)])[0], SentEntry)
    assert isinstance(fold_page(events("a"), [entry(1, event)])[0], Happened)


def test_an_event_speaks_for_the_module_whose_stream_it_lies_in() -> None:
    """The source in an envelope is only what the sender says."""
    fact = fold_page(events("b"), [entry(1, happened("somebody-else", TaskProgress("t", 1, 2)))])[0]
    assert isinstance(fact, Happened)
    assert fact.module == "b"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no field `e`"),
        ({b"f": b"\xff\x00"}, "no field `e`"),
        ({b"e": b""}, "not an envelope"),
        ({b"e": b"\xc1"}, "not an envelope"),
        ({b"e": b"\x91" * 100_000}, "not an envelope"),
        ({b"e": b"\xdf\xff\xff\xff\xff"}, "not an envelope"),
        ({b"e": raw({"id": "x"})}, "missing required field"),
        ({b"e": raw({"id": "x", "source": "a", "target": "b", "time": 2**64 - 1})}, "not an envelope"),
        ({b"e": b"\x81\xa2id\xa3\xed\xa0\x80"}, "not an envelope"),
        ({b"e": b"x" * 2_000_000}, "the limit is"),
    ],
)
def test_what_cannot_be_read_becomes_a_fact_with_its_reason(fields: dict[bytes, bytes], reason: str) -> None:
    """Nothing is lost in silence, and the start of the entry is kept."""
    (fact,) = fold(inbox("b"), "7-0", fields)
    assert isinstance(fact, UnreadableEntry)
    assert reason in fact.reason
    assert len(fact.prefix) <= PREFIX_BYTES


@pytest.mark.parametrize(
    "event",
    [
        {"kind": ""},
        {"kind": "progress", "task": "t", "completed": math.nan, "total": 1.0},
        {"kind": "progress", "task": "t", "completed": math.inf, "total": 1.0},
        {"kind": "file", "operation": "read", "path": "p", "status": "success", "size_bytes": 2**64 - 1},
        {"kind": "file", "operation": "read", "path": "p", "status": "success", "size_bytes": -1},
        {"kind": "file", "operation": "r", "path": "p", "status": "failed", "details": {"x": _NOT_JSON}},
        {"kind": "handled", "deliveries": [["a", "id", -1, 0]]},
        {"kind": "handled", "deliveries": [["a", "id", 0, 2**63]]},
        {"kind": "done", "groups": [["a", b"x" * 16, [2**63 - 1], [1]]]},
        {"kind": "done", "groups": [["a", b"x" * 15, [1], [1]]]},
    ],
)  # fmt: skip
def test_an_event_that_the_store_could_not_hold_is_unreadable(event: dict[str, object]) -> None:
    """A NaN or an integer of 64 bits would stop the whole batch, and every batch after it."""
    assert isinstance(fold_page(events("a"), [entry(1, envelope(type="comm.event", data=event))])[0], UnreadableEntry)


def test_a_stream_key_of_another_form_is_no_stream() -> None:
    """Whoever may add to the set of streams must not make the projection read other keys."""
    keys = Keys("t")
    for key in (b"", b"t:{m:a}:dead", b"t:{t:a}:inbox", b"u:{m:a}:inbox", b"t:{m:a}:inbox\n", b"\xff", b"t:{m:}:inbox"):
        assert keys.parse_stream(key) is None
    for spelled in (keys.inbox("a.b"), keys.topic("x"), keys.events("_")):
        parsed = keys.parse_stream(spelled.encode())
        assert parsed is not None
        assert parsed.key == spelled


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | _text | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_envelopes = st.fixed_dictionaries(
    {"id": _text, "source": _text, "target": _text, "time": st.integers(0, 2**64 - 1), "type": _text, "data": _values},
    optional={"session": _text, "headers": st.dictionaries(_text, _text, max_size=3), "v": st.integers(0, 3)},
)
_events = st.fixed_dictionaries(
    {"kind": st.sampled_from(["handled", "done", "buried", "progress", "file", "lifecycle"])},
    optional={
        "deliveries": st.lists(st.tuples(_text, _text, st.integers(-1, 2**64 - 1), st.integers(0, 2**63)), max_size=3),
        "delivery": st.tuples(_text, _text, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
        "groups": st.lists(
            st.tuples(
                *(_text, st.binary(min_size=16, max_size=33)),
                *(st.lists(st.integers(-(2**63), 2**64 - 1), max_size=2) for _ in range(2)),
            ),
            max_size=3,
        ),
        "reason": _text,
        "task": _text,
        "completed": st.floats(),
        "total": st.floats(),
        "operation": _text,
        "path": _text,
        "status": st.sampled_from(["success", "failed", "?"]),
        "size_bytes": st.integers(0, 2**54),
        "details": st.dictionaries(_text, _values, max_size=3),
        "state": st.just("started"),
        "instance": _text,
    },
)


@given(st.lists(st.one_of(st.binary(max_size=300), _envelopes.map(raw)), max_size=8), st.lists(_events, max_size=5))
def test_no_entry_that_can_be_written_stops_the_projection(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], facts: list[dict[str, object]]
) -> None:
    """Control characters, huge numbers, wrong types, random bytes: every entry is a row somewhere."""
    told = [
        raw({"id": str(n), "source": "b", "target": "b", "time": 2**63 - 1, "type": "comm.event", "session": "s",
             "data": fact}) for n, fact in enumerate(facts)
    ]  # fmt: skip
    folder = tmp_path_factory.mktemp("h")
    with open_database(folder / "x.db") as database:
        pages = [one for one in (page(inbox("b"), *bodies), page(events("b"), *told)) if one.facts]
        done = project(database, pages)
        assert done.entries == len(bodies) + len(told)
        assert project(database, pages).entries == 0


def test_a_foreign_time_after_the_year_9999_is_stored(tmp_path: Path) -> None:
    """Dates end there; the microseconds are kept as they came."""
    with open_database(tmp_path / "x.db") as database:
        put(database, page(inbox("b"), envelope(time=2**63 - 1, session="s")))
        assert database.rows("SELECT time_us FROM messages") == [(2**63 - 1,)]
        assert database.rows("SELECT end_time FROM session_stats") == [("9999-12-31T23:59:59.999999+00:00",)]

"""What `watch` reads: every message is shown or counted, and outcomes find their messages."""

from __future__ import annotations

from claude_comm import Publisher
from claude_comm.cli.stream_watch import MOST_ENTRIES, Matching, PassedMessage, Recent, StreamWatch, WatchFilter
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


def message(id_: str, **fields: str) -> PassedMessage:
    given = {"source": "a", "target": "b", "type": "page", **fields}
    return PassedMessage(kind="sent", at_us=1, id=id_, **given)  # type: ignore[arg-type]


def outcome(id_: str, kind: str, consumer: str = "b", source: str = "a") -> PassedMessage:
    return PassedMessage(kind=kind, at_us=2, id=id_, source=source, consumer=consumer, took_ms=1.0)


def test_of_a_flood_what_is_not_shown_is_counted_to_the_message(client: Client, settings: Settings) -> None:
    with Publisher("writer", settings=settings) as writer:
        writer.publish("reader", {"n": -1})
        watch = StreamWatch(client, settings)
        seen = over = messages = 0
        for count in (3 * MOST_ENTRIES, 7, 2 * MOST_ENTRIES + 1, 0):
            writer.publish_many("reader", [{"n": n} for n in range(count)])
            glimpse = watch.refresh()
            sent = [row for row in glimpse.passed if row.kind == "sent"]
            assert len(sent) <= MOST_ENTRIES
            assert glimpse.messages == len(sent) + glimpse.passed_over == count
            seen, over, messages = seen + len(sent), over + glimpse.passed_over, messages + glimpse.messages
    assert over > 0
    assert seen + over == messages == 5 * MOST_ENTRIES + 8


def test_a_stream_that_is_new_is_shown_from_its_start(client: Client, settings: Settings) -> None:
    watch = StreamWatch(client, settings)
    with Publisher("writer", settings=settings) as writer:
        writer.publish("reader", {"n": 1})
        watch._listed_s = 0.0
        assert [row.target for row in watch.refresh().passed] == ["reader"]


def test_a_filter_by_session_lets_the_outcomes_of_its_messages_through() -> None:
    flow = [
        message("1", session="s"),
        message("2", session="t"),
        outcome("1", "handled"),
        outcome("2", "handled"),
        outcome("1", "buried"),
    ]
    assert [row.kind for row in Matching(WatchFilter(session="s")).of(flow)] == ["sent", "handled", "buried"]
    assert [row.kind for row in Matching(WatchFilter(session="s", failed=True)).of(flow)] == ["buried"]


def test_a_filter_by_target_lets_the_outcomes_of_that_module_through() -> None:
    flow = [message("1"), outcome("1", "retried"), outcome("1", "retried", consumer="c")]
    assert [row.consumer for row in Matching(WatchFilter(target="b")).of(flow)] == ["", "b"]


def test_the_newest_messages_stay_each_with_its_last_outcome() -> None:
    recent = Recent(WatchFilter(), most=2)
    recent.add([message("1"), message("2"), message("3"), outcome("2", "retried"), outcome("2", "handled")])
    assert [(row.id, end and end.kind) for row, end in recent.rows(9)] == [("2", "handled"), ("3", None)]


def test_failures_alone_are_shown_though_their_messages_were_not_seen() -> None:
    recent = Recent(WatchFilter(failed=True), most=9)
    recent.add([message("1"), outcome("1", "handled"), outcome("0", "buried")])
    assert [row.id for row, _ in recent.rows(9)] == ["0"]

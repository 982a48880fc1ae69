"""Replies packed in an event: each becomes the fact that it would be by itself, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.envelope import Envelope, encode
from claude_comm.progress.events import EVENT_TYPE, TaskProgress
from claude_comm.progress.fold import Fact, Newer, SentEntry, UnreadableEntry, bodies, fold_page
from claude_comm.progress.packed_replies import PackedReplies, in_packs
from tests.support.examples import examples
from tests.support.facts import entry, envelope, events, happened, inbox, raw


def packed(*replies: Envelope | bytes, module: str = "b") -> Envelope:
    """The event in which these travel."""
    return happened(module, PackedReplies([one if isinstance(one, bytes) else encode(one) for one in replies]))


def folded(*replies: Envelope | bytes) -> Sequence[Fact]:
    return fold_page(events("b"), [entry(1, packed(*replies))])


def test_each_reply_is_the_fact_that_it_would_be_by_itself() -> None:
    replies = [envelope("b", "a", type="comm.reply", data={"n": n}, causation=f"{n}", session="s") for n in range(3)]
    alone = [fold_page(events("b"), [entry(1, reply)])[0] for reply in replies]
    assert folded(*replies) == alone
    assert [fact.size_bytes for fact in alone if isinstance(fact, SentEntry)] == [len(encode(one)) for one in replies]


def test_facts_come_in_the_order_of_their_entries_and_have_their_ids() -> None:
    told, replies = happened("b", TaskProgress("t", 1, 2)), [envelope("b"), envelope("b")]
    page = [entry(1, told), entry(2, packed(*replies)), entry(3, envelope("b"))]
    assert [fact.entry_id for fact in fold_page(events("b"), page)] == ["1-0", "2-0", "2-0", "3-0"]


def test_what_cannot_be_read_spoils_nothing_beside_it() -> None:
    newer = raw({**msgspec.structs.asdict(envelope("b")), "v": 2})
    facts = folded(envelope("b"), b"\xc1", newer, b"", happened("b", TaskProgress("t", 1, 2)), envelope("b"))
    assert [type(fact) for fact in facts] == [
        *(SentEntry, UnreadableEntry, Newer, UnreadableEntry, UnreadableEntry, SentEntry)
    ]
    kept = facts[2]
    assert isinstance(kept, Newer)
    assert kept.body == newer, "its own bytes, so that it is folded by itself after an upgrade"
    nested = facts[4]
    assert isinstance(nested, UnreadableEntry)
    assert "no other event" in nested.reason


def test_a_reply_may_be_nested_as_deep_as_one_that_lies_by_itself() -> None:
    """A decoder gives up on what is nested too deep, and an event that held the reply as a value would add to it."""
    depth = next(depth for depth in range(5_000, 0, -1) if _reads(_nested(depth)))
    assert [type(fact) for fact in folded(_nested(depth), envelope("b"))] == [SentEntry, SentEntry]


def _nested(depth: int) -> bytes:
    return encode(envelope("b", data=msgspec.Raw(b"\x91" * depth + b"\xc0")))


def _reads(body: bytes) -> bool:
    return isinstance(fold_page(events("b"), [entry(1, body)])[0], SentEntry)


def test_in_an_inbox_it_is_a_message_like_any_other() -> None:
    (fact,) = fold_page(inbox("b"), [entry(1, packed(envelope("b"), envelope("b")))])
    assert isinstance(fact, SentEntry)
    assert fact.envelope.type == EVENT_TYPE


def test_an_event_of_none_or_of_too_many_is_unreadable() -> None:
    """Each entry has a fact, so that no position is lost; and one entry cannot become any number of rows."""
    for count in (0, 1_001):
        body = envelope("b", "b", type=EVENT_TYPE, data={"kind": "replied", "messages": [b"\x80"] * count})
        assert [type(fact) for fact in fold_page(events("b"), [entry(1, body)])] == [UnreadableEntry]


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_replies = st.one_of(
    st.binary(max_size=60),
    st.fixed_dictionaries(
        {"id": _text, "source": _text, "target": _text, "time": st.integers(0, 2**64 - 1)},
        optional={"v": st.integers(0, 3), "type": st.sampled_from(["x", EVENT_TYPE]), "data": st.binary(max_size=9)},
    ).map(raw),
    st.builds(lambda n: encode(envelope("b", data=n)), st.integers(0, 2**60)),
)


@given(st.lists(_replies, min_size=1, max_size=12))
@settings(max_examples=examples(150), deadline=None)
def test_whatever_stands_in_an_event_each_is_one_fact(replies: list[bytes]) -> None:
    facts = folded(*replies)
    assert len(facts) == len(replies)
    for reply, fact in zip(replies, facts, strict=True):
        (alone,) = fold_page(events("b"), [entry(1, reply)])
        assert fact == alone or isinstance(fact, UnreadableEntry)
        if isinstance(alone, SentEntry):
            assert fact == alone
    whole = entry(1, packed(*replies))
    assert list(bodies(whole, len(facts))) == (replies if len(replies) > 1 else [whole[1][1]])


@given(st.binary(max_size=200))
@settings(max_examples=examples(150), deadline=None)
def test_any_bytes_as_what_an_event_holds_become_facts(data: bytes) -> None:
    head = raw({"kind": "replied", "messages": []})[:-1]
    body = encode(envelope("b", "b", type=EVENT_TYPE, data=None))[:-1] + head + data
    assert fold_page(events("b"), [entry(1, body)])


@given(st.lists(st.integers(0, 12_000), max_size=300), st.integers(-500, 60_000))
@settings(max_examples=examples(100), deadline=None)
def test_each_reply_is_in_one_event_of_bounded_size_or_by_itself(sizes: list[int], most: int) -> None:
    replies = [n.to_bytes(4, "big") + bytes(size) for n, size in enumerate(sizes)]
    packs = in_packs(replies, most)
    assert sorted(reply for pack in packs for reply in pack) == replies
    for pack in packs:
        assert 1 <= len(pack) <= 100
        assert len(pack) == 1 or len(msgspec.msgpack.encode(PackedReplies(pack))) <= min(most, 32 * 1024) + 40


def test_small_replies_fill_few_events_and_a_large_one_breaks_none() -> None:
    replies = [b"x" * 200] * 30 + [b"x" * 9_000] + [b"x" * 200] * 30
    assert [len(pack) for pack in in_packs(replies, 1 << 20)] == [60, 1]
    assert [len(pack) for pack in in_packs([b"x"] * 201, 1 << 20)] == [100, 100, 1]
    assert [len(pack) for pack in in_packs([b"x" * 8_000] * 9, 1 << 20)] == [4, 4, 1]

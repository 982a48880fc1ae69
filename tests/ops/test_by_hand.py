"""Operations performed by hand, with the answers that a server gives rarely: of another type, half, or none."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.envelope import encode
from claude_comm.errors import ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import everything, holders, keyring, resume
from tests.support.by_hand import perform
from tests.support.facts import envelope

KEYS = Keys("n")
WRONG_TYPE, BUSY = ServerRefused("WRONGTYPE not that kind"), ServerRefused("BUSY a script runs")


def test_a_keyring_of_another_type_is_none_and_another_refusal_is_raised() -> None:
    assert perform(keyring.read(KEYS), [b"bytes"]) == b"bytes"
    assert perform(keyring.read(KEYS), [WRONG_TYPE]) is None
    assert perform(keyring.mark(KEYS), [WRONG_TYPE]) == b""
    assert perform(keyring.read(KEYS), [None]) is None
    with pytest.raises(ServerRefused, match="BUSY"):
        perform(keyring.read(KEYS), [BUSY])


def test_a_new_reader_begins_behind_all_that_is_settled_page_by_page() -> None:
    sent = envelope("a", "b")
    first = [(b"%d-0" % number, [b"e", b"no envelope"]) for number in range(1, 101)]
    second = [(b"101-0", [b"e", encode(sent)]), (b"102-0", [b"e", b"no envelope"])]

    def all_settled(identities: Any) -> Any:
        return set(identities)

    def all_but_messages(identities: Any) -> Any:
        return {identity for identity in identities if not identity[0]}

    def none_settled(_: Any) -> Any:
        return set()

    for settled, at in ((all_settled, "102-0"), (all_but_messages, "100-0")):
        assert perform(resume.position("s", settled, max_bytes=10_000), [first, second]) == at
    assert perform(resume.position("s", none_settled, max_bytes=10_000), [first]) == "0"
    assert perform(resume.position("s", all_settled, max_bytes=10_000), [first, []]) == "100-0"


def group(name: bytes, pending: int) -> list[Any]:
    return [b"name", name, b"consumers", 1, b"pending", pending, b"last-delivered-id", b"5-0", b"entries-read", 5,
            b"lag", 2]  # fmt: skip


def test_each_group_says_who_holds_what_and_a_stream_that_went_meanwhile_says_nothing() -> None:
    summary = [3, b"1-0", b"7-0", [[b"slow", b"1"], [b"quick", b"2"]]]
    rows = [[b"1700-0", b"slow", 4000, 3]]
    groups = [[group(b"m", 3), group(b"idle", 0)], [group(b"gone", 1)]]
    held = perform(holders.held(["s", "t"]), [groups, [summary, rows, WRONG_TYPE, WRONG_TYPE]])
    assert [(hold.stream, hold.group, hold.pending) for hold in held] == [
        ("s", "m", 3),
        ("s", "idle", 0),
        ("t", "gone", 1),
    ]
    assert [(holder.consumer, holder.pending) for holder in held[0].holders] == [("quick", 2), ("slow", 1)]
    assert (held[0].oldest_ms, held[0].oldest_holder, held[0].idle_ms, held[0].deliveries) == (1700, "slow", 4000, 3)
    assert (held[1].holders, held[1].oldest_ms, held[2].holders) == ([], None, [])
    (empty, _) = perform(holders.held(["s"]), [[[group(b"m", 1), group(b"n", 0)]], [[0, None, None, None], []]])
    assert (empty.holders, empty.oldest_ms) == ([], None)
    assert perform(holders.held(["s"]), [[[group(b"m", 0)]]])[0].holders == []


def test_one_entry_is_held_by_somebody_or_nobody() -> None:
    assert perform(holders.holder("s", "g", "1-0"), [[[b"1-0", b"c", 5, 2]]]) == ("c", 5, 2)
    assert perform(holders.holder("s", "g", "1-0"), [[]]) is None
    assert perform(holders.holder("s", "g", "1-0"), [ServerRefused("NOGROUP no such group")]) is None


def test_the_values_of_a_key_are_read_page_by_page_whatever_kind_it_is() -> None:
    entries = [(b"%d-0" % number, [b"e", b"%d" % number]) for number in range(200)]
    assert perform(everything.page(b"k", b""), [b"stream", entries]) == (b"199-0", [b"%d" % n for n in range(200)])
    assert perform(everything.page(b"k", b"5-0"), [b"stream", entries[:1]]) == (b"", [b"0"])
    assert perform(everything.page(b"k", b""), [b"zset", [b"a"] * 200]) == (b"200", [b"a"] * 200)
    assert perform(everything.page(b"k", b"200"), [b"zset", [b"b"]]) == (b"", [b"b"])
    assert perform(everything.page(b"k", b""), [b"hash", (b"7", [b"f", b"v"])]) == (b"7", [b"v"])
    assert perform(everything.page(b"k", b"7"), [b"hash", (b"0", [])]) == (b"", [])
    assert perform(everything.page(b"k", b""), [b"none"]) == (b"", [])


def test_a_key_that_became_another_kind_meanwhile_has_no_values_and_another_refusal_is_raised() -> None:
    assert perform(everything.page(b"k", b""), [b"stream", WRONG_TYPE]) == (b"", [])
    with pytest.raises(ServerRefused, match="BUSY"):
        perform(everything.page(b"k", b""), [b"hash", BUSY])

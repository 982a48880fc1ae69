"""Answers of one batch: which of them travel in one entry, and that each is in one, once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops.replies import (
    MOST_TOGETHER,
    MOST_TOGETHER_BYTES,
    SEVERAL_PREFIX,
    EncodedAnswer,
    answering,
    reading_instance,
    together,
)
from claude_comm.security import sealed
from tests.support.examples import examples

KEYS = Keys("ns")
SEVERAL, ONE = KEYS.replies("asker", f"{SEVERAL_PREFIX}1"), KEYS.replies("asker", "1")


def _text(number: int, size: int) -> bytes:
    return msgspec.msgpack.encode({"n": number, "x": "x" * size})


def _maps(command: Command) -> list[bytes]:
    """The envelopes of an entry."""
    body = command.args[4]
    assert isinstance(body, bytes)
    if body[0] & 0xF0 == 0x80:
        return [body]
    return [bytes(part) for part in msgspec.msgpack.decode(body, type=list[msgspec.Raw])]


@given(
    st.lists(
        st.tuples(st.sampled_from([SEVERAL, ONE, KEYS.replies("other", f"{SEVERAL_PREFIX}2")]), st.integers(0, 20_000)),
        max_size=250,
    )
)
@settings(max_examples=examples(60), deadline=None)
def test_each_answer_is_in_the_entry_that_is_named_for_it(wanted: Sequence[tuple[str, int]]) -> None:
    answers = [EncodedAnswer(stream, _text(number, size)) for number, (stream, size) in enumerate(wanted)]
    commands, places = together(answers)
    contents = [_maps(command) for command in commands]
    for answer, place in zip(answers, places, strict=True):
        assert commands[place].args[1] == answer.stream
        assert answer.body in contents[place]
    assert sum(map(len, contents)) == len(answers)
    for command, content in zip(commands, contents, strict=True):
        assert len(content) <= MOST_TOGETHER
        assert len(content) == 1 or sum(map(len, content)) <= MOST_TOGETHER_BYTES
        assert len(content) == 1 or command.args[1] != ONE


def test_no_more_entries_than_needed() -> None:
    small = [EncodedAnswer(SEVERAL, _text(number, 10)) for number in range(2 * MOST_TOGETHER + 1)]
    assert list(map(len, map(_maps, together(small)[0]))) == [MOST_TOGETHER, MOST_TOGETHER, 1]
    (one, *_) = together(small[:1])[0]
    assert one == Command(("XADD", SEVERAL, "*", "e", small[0].body)), "a lone one stands there as it is"
    assert len(together(small[:15])[0]) == len(together(small[:16])[0]) == 1, "the head of an array is of two kinds"


def test_what_is_sealed_has_an_entry_to_itself() -> None:
    """Its seal is for the envelope, and stands beside it."""
    bodies = [sealed.join_lone(_text(number, 3), b"k" * 8, b"s" * 64) for number in range(3)]
    commands, places = together([EncodedAnswer(SEVERAL, body) for body in bodies])
    assert places == [0, 1, 2]
    assert [command.args[3::2] for command in commands] == [("e", "k", "s")] * 3


def test_what_sends_them_comes_first_and_each_stream_expires() -> None:
    answers = [EncodedAnswer(stream, _text(0, 3)) for stream in (SEVERAL, SEVERAL, ONE)]
    names = [
        (command.args[0], command.args[1]) for command in answering(answers, events="events", recorded=[b"\x80"] * 2)
    ]
    assert names == [
        *(("XADD", SEVERAL), ("XADD", ONE)),
        *[("XADD", "events")] * 2,
        *(("PEXPIRE", SEVERAL), ("PEXPIRE", ONE)),
    ]


def test_an_instance_says_what_it_reads_where_its_name_leaves_room() -> None:
    assert reading_instance("a", several=True) == f"{SEVERAL_PREFIX}a"
    assert reading_instance("a", several=False) == "a"
    assert reading_instance("a" * 64, several=True) == "a" * 64
    assert reading_instance("a" * 59, several=True) == f"{SEVERAL_PREFIX}{'a' * 59}"

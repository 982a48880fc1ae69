"""Which streams are read all the time, and which in rounds."""

from __future__ import annotations

from claude_comm.delivery.wakefulness import Wakefulness
from claude_comm.names import Keys, Stream

KEYS = Keys("n")
A, EVENTS, B = KEYS.inbox("a"), KEYS.events("a"), KEYS.inbox("b")


def stream(key: str) -> Stream:
    parsed = KEYS.parse_stream(key.encode())
    assert parsed is not None
    return parsed


def known(*keys: str) -> Wakefulness:
    made = Wakefulness(10.0)
    assert made.know(map(stream, keys)) == [*keys]
    return made


def awake(made: Wakefulness) -> list[str]:
    return [one.key for one in made.awake]


def test_news_of_one_wakes_what_has_its_tag() -> None:
    made = known(A, EVENTS, B)
    assert awake(made) == []
    assert made.wake([A], 0.0) == [A, EVENTS]
    assert made.wake([EVENTS], 1.0) == []
    assert awake(made) == [A, EVENTS]


def test_without_news_and_entries_they_sleep_again() -> None:
    made = known(A, EVENTS, B)
    made.wake([A], 0.0)
    made.read([A, "somebody:else"], 5.0)
    made.rest(9.9)
    assert awake(made) == [A, EVENTS]
    made.rest(10.0)
    assert awake(made) == [A]
    made.rest(15.0)
    assert awake(made) == []


def test_a_round_comes_to_each_that_sleeps_and_begins_again() -> None:
    keys = [KEYS.inbox(f"m{number}") for number in range(7)]
    made = known(*keys)
    made.wake([keys[1]], 0.0)
    rounds = [made.next_asleep(3) for _ in range(4)]
    assert rounds == [[keys[0], keys[2]], keys[3:6], [keys[6]], [keys[0], keys[2]]]
    assert [made.know([stream(B)]), made.know([stream(B)])] == [[B], []]


def test_what_is_no_stream_is_neither_read_nor_looked_at() -> None:
    made = known(A, EVENTS, B)
    made.wake([A, B], 0.0)
    made.forget([A, "unknown"])
    assert (awake(made), set(made.streams)) == ([EVENTS, B], {EVENTS, B})
    assert made.wake([EVENTS], 0.0) == []
    assert A not in made.next_asleep(10)

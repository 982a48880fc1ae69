"""Which streams are looked at, and when."""

from __future__ import annotations

from claude_comm.delivery.attention import LEAST_ROUND_S, LONGEST_ROUND_S, LOOKS_PER_S, Attention, round_s
from claude_comm.names import Keys, Stream

KEYS = Keys("n")


def stream(key: str) -> Stream:
    found = KEYS.parse_stream(key.encode())
    assert found is not None
    return found


def attention(*keys: str) -> Attention:
    made = Attention(10.0)
    made.know(map(stream, keys))
    return made


def due(made: Attention, now: float) -> list[str]:
    return [one.key for one in made.due(now)]


A, EVENTS, B = KEYS.inbox("a"), KEYS.events("a"), KEYS.inbox("b")


def test_a_stream_is_due_at_once_then_once_a_round() -> None:
    made = attention(A, B)
    assert due(made, 0.0) == [A, B]
    made.looked(A, 0.0, chance=0.0)
    made.looked(B, 0.0, chance=1.0)
    assert due(made, LEAST_ROUND_S / 2 - 0.1) == []
    assert due(made, LEAST_ROUND_S / 2) == [A]
    assert due(made, LEAST_ROUND_S) == [A, B]


def test_however_many_there_are_they_share_so_many_looks_a_second() -> None:
    assert round_s(10) == LEAST_ROUND_S
    assert round_s(10_000) == 10_000 / LOOKS_PER_S
    assert round_s(10**9) == LONGEST_ROUND_S


def test_after_news_it_is_looked_at_each_second_for_a_while_and_so_are_its_siblings() -> None:
    made = attention(A, EVENTS, B)
    for key in (A, EVENTS, B):
        made.looked(key, 0.0, chance=1.0)
    made.news({A: stream(A)}, 1.0)
    assert (due(made, 1.0), [one.key for one in made.awake(1.0)]) == ([A, EVENTS], [A, EVENTS])
    made.looked(A, 1.0, chance=1.0)
    assert due(made, 2.0) == [A, EVENTS]
    made.looked(A, 11.5, chance=1.0)
    assert (made.awake(11.5), A in due(made, 12.5)) == ([], False)


def test_where_something_moved_there_will_be_more() -> None:
    made = attention(A)
    made.looked(A, 0.0, chance=1.0, moved=True)
    assert due(made, 1.0) == [A]


def test_news_of_a_stream_that_nobody_knew_makes_it_known() -> None:
    made = attention(A)
    made.news({B: stream(B)}, 5.0)
    assert B in due(made, 5.0)


def test_a_stream_that_is_not_there_any_more_is_not_looked_at() -> None:
    made = attention(A, EVENTS, B)
    made.news({A: stream(A)}, 0.0)
    made.know([stream(B)])
    assert (due(made, 0.0), made.awake(0.0), [one.key for one in made.streams]) == ([B], [], [B])
    made.looked(A, 0.0, chance=0.5)
    made.news({B: stream(B)}, 1.0)
    assert due(made, 1.0) == [B]


def test_all_are_due_when_nothing_is_known_of_what_happened() -> None:
    made = attention(A, B)
    for key in (A, B):
        made.looked(key, 0.0, chance=1.0)
    made.all_due()
    assert due(made, 0.1) == [A, B]


def test_chance_spreads_looks_over_the_second_half_of_a_round() -> None:
    made = attention(A)
    made.looked(A, 0.0, chance=0.5)
    assert due(made, LEAST_ROUND_S * 0.75 - 0.1) == []
    assert due(made, LEAST_ROUND_S * 0.75) == [A]


def test_what_is_awake_is_so_until_its_time_is_over_and_not_at_that_moment() -> None:
    made = attention(A)
    made.news({A: stream(A)}, 0.0)
    assert [len(made.awake(now)) for now in (9.9, 10.0)] == [1, 0]
    made.looked(A, 0.0, chance=1.0, moved=True)
    made.looked(A, 10.0, chance=1.0)
    assert due(made, 10.0 + LEAST_ROUND_S - 0.1) == []

"""How much is read at once: as the sizes allow, and as the handlers keep up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_comm.delivery.flow_control import ENOUGH_SIGNED, HORIZON_S, Ahead, SignedFlights, Sizes


def test_the_first_read_takes_every_entry_to_be_the_largest_that_may_be_sent() -> None:
    assert Sizes(64 * 1024, 1024).fitting(0) == 64


def test_a_sample_of_what_waits_tells_more() -> None:
    sizes = Sizes(64 * 1024, 1024)
    sizes.expect(128)
    assert sizes.fitting(0) == 512


def test_one_may_always_be_asked_for_while_nothing_is_held_and_none_when_it_is_full() -> None:
    sizes = Sizes(1000, 1000)
    sizes.saw(5000, 1)
    assert (sizes.fitting(0), sizes.fitting(5000)) == (1, 0)


def test_reads_grow_step_by_step_and_shrink_at_once() -> None:
    sizes = Sizes(100_000, 10_000)
    counts = []
    for _ in range(4):
        counts.append(sizes.fitting(0))
        sizes.saw(10, counts[-1])
    assert counts == [10, 40, 160, 640]
    sizes.saw(50_000, 3)
    assert sizes.fitting(0) == 2


@pytest.mark.parametrize(
    ("size_bytes", "least", "most"),
    [
        (300, 150, 200),
        (850, 64, 70),
        (1_000, 93, 93),
        (2_000, 64, 64),
        (10_000, 64, 64),
        (50_000, 15, 21),
        (5_000_000, 1, 1),
    ],
)
def test_a_read_ahead_asks_for_what_a_socket_holds_and_of_large_entries_for_enough(
    size_bytes: int, least: int, most: int
) -> None:
    sizes = Sizes(64 * 1024 * 1024, 8 * 1024 * 1024)
    sizes.saw(size_bytes, 10)
    assert least <= sizes.ahead() <= most


@pytest.mark.parametrize(("size_bytes", "count"), [(100, 664), (300, 500), (2_000, 500), (10_000, 104), (5_000_000, 1)])
def test_a_reader_that_signs_has_enough_of_more_entries(size_bytes: int, count: int) -> None:
    sizes = Sizes(64 * 1024 * 1024, 8 * 1024 * 1024, enough=ENOUGH_SIGNED)
    sizes.saw(size_bytes, 10)
    assert sizes.ahead() == count


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=30), st.integers(0, 300_000))
def test_no_more_is_asked_for_than_fits_beside_what_is_held_at_the_sizes_seen_last(
    largest: list[int], held: int
) -> None:
    sizes = Sizes(200_000, 100_000)
    for size in largest:
        sizes.saw(size, 10)
    asked = sizes.fitting(held)
    assert asked * largest[-1] <= max(200_000 - held, 0 if held else largest[-1])


def test_quick_handlers_are_read_far_ahead_for_and_slow_ones_little() -> None:
    ahead, now_s, limits = Ahead(1000, hands=1), 0.0, []
    for took_s in [HORIZON_S / 10] * 4 + [HORIZON_S * 4] * 9:
        ahead.read(now_s)
        now_s += took_s
        ahead.ran_low(now_s)
        limits.append(ahead.limit)
    assert limits[:4] == [64, 256, 1000, 1000]
    assert limits[-1] == 2


@pytest.mark.parametrize(
    ("took_s", "limit"), [(HORIZON_S / 400, 64), (HORIZON_S / 1600, 256), (HORIZON_S / 10_000, 1000), (0.0, 1000)]
)
def test_handlers_that_prove_quick_have_what_they_get_through_at_once(took_s: float, limit: int) -> None:
    ahead = Ahead(1000, hands=1)
    ahead.read(100.0)
    ahead.ran_low(100.0 + took_s)
    assert ahead.limit == pytest.approx(limit, abs=1)


def test_a_read_that_brought_less_than_was_asked_for_tells_nothing() -> None:
    ahead = Ahead(1000, hands=2)
    ahead.ran_low(100.0)
    assert ahead.limit == 16


def test_every_hand_may_have_one_and_the_next_but_no_more_than_the_bound() -> None:
    assert Ahead(1000, hands=50).limit == 200
    assert Ahead(3, hands=2).limit == 3


def test_where_less_than_one_fits_one_is_asked_for_at_a_time() -> None:
    sizes = Sizes(1_000, 10_000)
    counts = []
    for _ in range(2):
        counts.append(sizes.fitting(0))
        sizes.saw(10, counts[-1])
    assert counts == [1, 4]
    sampled = Sizes(1_000, 100)
    sampled.expect(10_000)
    assert sampled.fitting(0) == 1
    sampled.saw(10, 1)
    assert sampled.fitting(0) == 4


def test_a_sample_counts_only_where_there_is_one_and_before_the_first_read() -> None:
    sizes = Sizes(1_000, 100)
    sizes.expect(0)
    assert sizes.fitting(0) == 10
    sizes.expect(50)
    sizes.saw(100, 5)
    sizes.expect(10)
    assert (sizes.fitting(0), sizes.peak) == (10, 100)
    sizes.saw(40, 5)
    assert sizes.peak == 100


def test_a_large_entry_is_forgotten_by_a_quarter_with_each_read() -> None:
    sizes = Sizes(1_000, 100)
    sizes.saw(100, 100)
    asked = []
    for _ in range(3):
        sizes.saw(1, 1)
        asked.append(sizes.fitting(0))
    assert asked == [13, 17, 23]


def test_empty_entries_are_of_one_byte_and_nothing_is_remembered_of_what_was_only_expected() -> None:
    sizes = Sizes(100, 10)
    sizes.saw(0, 100)
    assert sizes.fitting(0) == 100
    assert sizes.fitting(99) == 1


def test_what_stands_around_an_entry_counts_in_a_read_ahead() -> None:
    sizes = Sizes(64 * 1024 * 1024, 1024)
    sizes.saw(976, 10)
    assert sizes.ahead() == 96


def test_between_half_a_second_and_a_whole_one_nothing_changes_and_a_look_is_measured_from_its_read() -> None:
    for took_s, limit in (
        (HORIZON_S - 0.01, 64),
        (HORIZON_S, 16),
        (2 * HORIZON_S, 16),
        (2 * HORIZON_S + 0.25, 8),
    ):
        ahead = Ahead(1000, hands=2)
        ahead.read(100.0)
        ahead.read(100.25)
        ahead.ran_low(100.0 + took_s)
        assert ahead.limit == limit
        ahead.ran_low(100.0 + took_s)
        assert ahead.limit == limit


def test_slow_handlers_have_two_for_each_hand_all_the_same() -> None:
    ahead = Ahead(1000, hands=3)
    for start_s in range(0, 100, 10):
        ahead.read(start_s)
        ahead.ran_low(start_s + 9.0)
    assert ahead.limit == 6


@pytest.mark.parametrize(("size_bytes", "abreast"), [(100, True), (912, True), (913, False), (50_000, False)])
def test_two_replies_are_abreast_where_a_server_writes_enough_entries_in_one_turn(
    size_bytes: int, abreast: bool
) -> None:
    sizes = Sizes(64 * 1024 * 1024, 8 * 1024 * 1024)
    sizes.saw(size_bytes, 10)
    assert sizes.abreast() is abreast
    assert not abreast or sizes.ahead() * (size_bytes + 48) <= 64 * 1024


def test_replies_to_a_reader_that_signs_are_abreast_of_small_entries_alone() -> None:
    for size_bytes, abreast in ((74, True), (75, False), (650, False)):
        sizes = Sizes(64 * 1024 * 1024, 8 * 1024 * 1024, enough=ENOUGH_SIGNED)
        sizes.saw(size_bytes, 10)
        assert sizes.abreast() is abreast


@given(st.integers(1, 600), st.integers(0, 600), st.integers(1, 200), st.data())
def test_a_read_ends_where_a_flight_ends_if_that_leaves_a_whole_one(
    count: int, requested: int, size: int, data: st.DataObject
) -> None:
    flights, left = SignedFlights(), data.draw(st.integers(0, size - 1))
    assert flights.ending(count, requested) == count
    flights.saw(left, size)
    asked = flights.ending(count, requested)
    if asked < count:
        assert asked >= size
        assert (requested + asked - left) % size == 0
    # Another whole one would not have fitted.
    assert count - asked < size


def test_reads_that_end_a_little_short_for_a_flight_grow_as_others() -> None:
    sizes = Sizes(1_000_000, 10_000)
    assert sizes.fitting(0) == 100
    sizes.saw(10, 90)
    assert sizes.fitting(0) == 360
    sizes.saw(10, 3)
    assert sizes.fitting(0) == 360


@pytest.mark.parametrize(
    ("left", "size", "requested", "count", "asked"),
    [
        # The first ends with the flight that is left, the others with one of those behind it.
        (3, 8, 0, 11, 11),
        (3, 8, 0, 20, 19),
        (3, 8, 5, 20, 14),
        (0, 8, 0, 20, 16),
        (0, 8, 0, 12, 8),
        (0, 8, 0, 8, 8),
        # Where no whole one would be left, nothing is taken away.
        (0, 8, 0, 7, 7),
        (3, 8, 0, 10, 10),
        (0, 1, 0, 9, 9),
    ],
)
def test_how_many_are_asked_for_so_that_they_end_with_a_flight(
    left: int, size: int, requested: int, count: int, asked: int
) -> None:
    flights = SignedFlights()
    assert flights.ending(count, requested) == count
    flights.saw(left, size)
    assert flights.ending(count, requested) == asked

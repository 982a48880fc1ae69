"""What may leave a stream, as a function of what the projections said, and the words for what keeps it."""

from __future__ import annotations

import pytest

from claude_comm.delivery.retention import SHORT_OF_MEMORY, Hold, Keep, Projection, floor, keep, tightest, words

S = "stream"
NOW_MS = 1_000_000


def projection(
    name: str = "p", stored: str = "9-0", durable: str = "9-0", reported_ms: int = NOW_MS, unreadable: str = ""
) -> Projection:
    return Projection(name, reported_ms, {S: stored}, {S: durable}, unreadable=frozenset(filter(None, [unreadable])))


def test_a_projection_is_done_with_what_it_has_both_stored_and_made_durable() -> None:
    assert projection(stored="10-0", durable="9-5").done(S) == "9-5"
    assert projection(stored="9-5", durable="10-0").done(S) == "9-5"
    assert projection().done("another stream") == "0-0"


def test_all_projections_let_go_of_what_the_slowest_lets_go_of() -> None:
    quick, slow = projection("quick", "10-0", "10-0"), projection("slow", "10-0", "9-0")
    for order in ([quick, slow], [slow, quick]):
        below = floor(S, order)
        assert below is not None
        assert (below.entry_id, below.projection.name) == ("9-0", "slow")
    assert floor(S, []) is None


def test_what_is_done_is_kept_unless_the_server_is_short_of_memory() -> None:
    short = int(1000 * SHORT_OF_MEMORY)
    assert keep(1.5, 7, used_bytes=short - 1, max_bytes=1000) == Keep(1500, 7)
    assert keep(1.5, 7, used_bytes=short, max_bytes=1000) == Keep(0, 0)
    assert keep(1.5, 7, used_bytes=10**12, max_bytes=0) == Keep(1500, 7)


def test_of_several_masters_the_fullest_decides() -> None:
    assert tightest([Keep(1500, 7), Keep(0, 0), Keep(1500, 6)]) == Keep(0, 0)
    assert tightest([Keep(1500, 7), Keep(1500, 6)]) == Keep(1500, 6)


@pytest.mark.parametrize(
    ("hold", "says"),
    [
        (None, ""),
        (Hold("pending", "m"), "m has deliveries that are not acked"),
        (Hold("undelivered", "m"), "m has not read all of it: start it"),
        (Hold("unread"), "nobody has read it yet"),
        (Hold("moved"), "its ids moved backwards"),
        (Hold("projection"), "no projection stores it: start `claude-comm worker progress`"),
    ],
)
def test_what_keeps_a_stream_is_said_with_what_to_do(hold: Hold | None, says: str) -> None:
    assert words(hold, S, None, now_ms=NOW_MS).startswith(says)


@pytest.mark.parametrize(
    ("slowest", "says"),
    [
        (projection(unreadable=S, reported_ms=NOW_MS - 3999), "p (reported 3 s ago) has an unreadable position"),
        (
            projection(stored="10-0", durable="9-0"),
            "p (reported 0 s ago) has stored it, and reports it as durable soon",
        ),
        (projection(stored="9-0", durable="10-0"), "p (reported 0 s ago) has not stored all of it"),
        (projection(reported_ms=NOW_MS + 5000), "p (reported 0 s ago) has not stored all of it"),
    ],
)
def test_a_projection_that_keeps_a_stream_is_named_with_its_age(slowest: Projection, says: str) -> None:
    below = floor(S, [slowest])
    assert f"projection {says}" in words(Hold("projection"), S, below, now_ms=NOW_MS)
    assert "no projection stores it" not in words(Hold("projection"), S, below, now_ms=NOW_MS)


def test_milliseconds_are_a_thousandth_of_a_second() -> None:
    for silent_ms, says in ((999, "0 s ago"), (1000, "1 s ago"), (5_000_000, "5000 s ago")):
        below = floor(S, [projection(reported_ms=10**7 - silent_ms)])
        assert says in words(Hold("projection"), S, below, now_ms=10**7)

"""From when and until when a message is handed out, as a function of values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from claude_comm.delivery.schedule import Times, expired, times
from claude_comm.envelope import Envelope
from claude_comm.errors import ConfigurationError

NOW = 1_700_000_000_000_000


def asked(**given: Any) -> Times:
    return times(NOW, **{"delay_s": None, "at": None, "ttl_s": None, **given})


def test_a_delay_counts_from_now_and_a_life_from_when_the_message_is_due() -> None:
    assert asked(delay_s=2.5) == Times(NOW + 2_500_000, 0)
    assert asked(ttl_s=1) == Times(0, NOW + 1_000_000)
    assert asked(delay_s=2, ttl_s=1) == Times(NOW + 2_000_000, NOW + 3_000_000)


def test_a_moment_is_the_same_in_every_time_zone() -> None:
    there = datetime(2030, 1, 1, 9, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=9)))
    assert asked(at=there) == asked(at=there.astimezone(UTC)) == Times(1_893_456_000_250_000, 0)


@pytest.mark.parametrize("past", [{"delay_s": 0}, {"at": datetime(2001, 1, 1, tzinfo=UTC)}])
def test_a_moment_that_has_passed_is_no_delay(past: dict[str, Any]) -> None:
    assert asked(**past) == Times()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"delay_s": -1}, "delay_s"),
        ({"delay_s": float("nan")}, "delay_s"),
        ({"ttl_s": float("inf")}, "ttl_s"),
        ({"at": datetime(2030, 1, 1)}, "time zone"),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC), "delay_s": 1}, "not both"),
        ({"at": "2030-01-01T00:00:00Z"}, "datetime with its time zone"),
        ({"delay_s": True}, "delay_s"),
        ({"ttl_s": "5"}, "ttl_s"),
        ({"ttl_s": 10 * 365 * 86_400 + 1}, "ten years"),
    ],
)
def test_what_is_no_time_is_refused(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        asked(**wrong)


def test_a_span_may_be_ten_years_and_no_time_at_all() -> None:
    longest_s = 10 * 365 * 86_400
    assert asked(delay_s=longest_s) == Times(NOW + longest_s * 1_000_000, 0)
    assert asked(ttl_s=0) == Times(0, NOW)


def test_a_message_is_expired_from_its_moment_on_and_without_one_never() -> None:
    sent = Envelope(id="i", source="a", target="b", time=NOW, expires=NOW + 5)
    assert [expired(sent, NOW + 4), expired(sent, NOW + 5)] == [False, True]
    assert not expired(Envelope(id="i", source="a", target="b", time=NOW), 2**62)

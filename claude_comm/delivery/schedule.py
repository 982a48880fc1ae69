"""When a message may be handled: from when, and until when.

Law: pure. Moments are microseconds since the epoch, 0 for none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.errors import ConfigurationError, shown

EXPIRED = "expired"
# Ten years: beyond it a span is a mistake in the unit.
_LONGEST_S = 10 * 365 * 86_400.0


class Times(msgspec.Struct, frozen=True):
    """From when a message is handed out, and from when it no longer is."""

    not_before: int = 0
    expires: int = 0


ALWAYS = Times()


def times(now_us: int, *, delay_s: float | None, at: datetime | None, ttl_s: float | None) -> Times:
    """The moments that a sender asked for; a life of `ttl_s` begins when the message is due.

    A moment that has passed is no delay. Raises ConfigurationError.
    """
    due_us = now_us
    if at is not None:
        if delay_s is not None:
            raise ConfigurationError("give `delay_s` or `at`, not both.")
        due_us = _micros(at)
    elif delay_s is not None:
        due_us += _span_us("delay_s", delay_s)
    due_us = max(due_us, now_us)
    expires = due_us + _span_us("ttl_s", ttl_s) if ttl_s is not None else 0
    return Times(due_us if due_us > now_us else 0, expires)


def expired(envelope: Envelope, now_us: int) -> bool:
    """Whether its time is over: it is buried and not handled."""
    return bool(envelope.expires) and now_us >= envelope.expires


def _span_us(name: str, seconds: Any) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_S:
        raise ConfigurationError(f"{name} is {shown(seconds)}: it is a number of seconds, from 0 to ten years.")
    return int(seconds * 1_000_000)


def _micros(at: Any) -> int:
    if not isinstance(at, datetime):
        raise ConfigurationError(f"`at` is {shown(at)}: it is a datetime with its time zone.")
    if at.tzinfo is None:
        raise ConfigurationError(f"`at` is {at.isoformat()} without a time zone: give one, such as datetime.UTC.")
    return (at - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

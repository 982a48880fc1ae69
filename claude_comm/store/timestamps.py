"""Times as the store keeps them: microseconds as integers, and ISO 8601 text in the public tables.

Law: the text is always UTC with six digits of fraction, so that text order is time order.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from claude_comm.errors import ConfigurationError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# 9999-12-31: the last day that datetime, and SQLite's date functions, can name.
_LAST_US = 253_402_300_799_999_999


def iso(time_us: int) -> str:
    """The text for this moment; a moment after the year 9999, which only a foreign clock can claim, is its end."""
    return (_EPOCH + timedelta(microseconds=min(time_us, _LAST_US))).isoformat(timespec="microseconds")


def moment(value: object, what: str) -> str:
    """The text for a time given as datetime, ISO 8601 text or seconds since the epoch; without a zone it is UTC.

    Raises ConfigurationError.
    """
    try:
        return _as_datetime(value).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError, TypeError):
        raise ConfigurationError(
            f"{what}: {str(value)[:60]!r} is not a time: give a datetime, ISO 8601 text or seconds since the epoch."
        ) from None


def _as_datetime(value: object) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return _EPOCH + timedelta(seconds=value)


def iso_micros(text: str) -> int:
    """The moment of such a text; 0 for what somebody else wrote that is none."""
    try:
        return (_as_datetime(text).astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError, TypeError):
        return 0

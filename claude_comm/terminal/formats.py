"""Numbers and times as a person reads them."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
# Where the parts of `2026-01-31 09:30:00.000` begin and end.
_YEAR, _MONTH, _CLOCK, _SECONDS, _MOMENT_CHARACTERS = 4, 5, 11, 19, 23
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: '12 s', '3.5 min'."""
    for unit_s, name in _SPANS:
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f} s"


def since(time_us: int) -> str:
    """How long ago a moment (microseconds since the epoch) was."""
    return span(max(0.0, time.time() - time_us / 1e6))


def moment(time_us: int) -> str:
    """A moment as local date and time, to the millisecond; a foreign clock may name one that no calendar has."""
    try:
        return datetime.fromtimestamp(time_us / 1e6).isoformat(sep=" ", timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{time_us} µs"


def moments(times_us: Sequence[int]) -> list[str]:
    """The moments of a column: on a terminal to the second, without what all of them have in common (the day where it
    is today, the year where it is this one); elsewhere each whole."""
    texts = [moment(time_us) for time_us in times_us]
    if not sys.stdout.isatty() or any(len(text) != _MOMENT_CHARACTERS for text in texts):
        return texts
    today = datetime.now().date().isoformat()
    if all(text.startswith(today) for text in texts):
        return [text[_CLOCK:_SECONDS] for text in texts]
    this_year = all(text.startswith(today[:_YEAR]) for text in texts)
    return [text[_MONTH if this_year else 0 : _SECONDS] for text in texts]


def size(count: float) -> str:
    """Bytes in their largest fitting unit."""
    for name in _SIZES[:-1]:
        if count < 1024:
            return f"{count:.0f} {name}" if name == "B" else f"{count:.1f} {name}"
        count /= 1024
    return f"{count:.1f} {_SIZES[-1]}"


def milliseconds(value: float | None) -> str:
    """A latency, from a second on in seconds; '-' where there is none."""
    return took(value) or "-"


def offset(microseconds: int) -> str:
    """How long after a beginning: `+3.2 ms`, `+1.45 s`, `+2.0 min`."""
    seconds = microseconds / 1e6
    if abs(seconds) < 1:
        return f"{seconds * 1000:+.1f} ms"
    return f"{seconds:+.2f} s" if abs(seconds) < 60 else f"+{span(abs(seconds))}"


def took(milliseconds_: float | None) -> str:
    """A length of time in as few characters as tell it apart; empty where there is none."""
    if milliseconds_ is None:
        return ""
    if milliseconds_ < 1000:
        return f"{milliseconds_:.1f} ms" if milliseconds_ < 100 else f"{milliseconds_:.0f} ms"
    return span(milliseconds_ / 1000)

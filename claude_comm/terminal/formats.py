"""Numbers and times as a person reads them."""

from __future__ import annotations

import time
from datetime import datetime

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))
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


def short_moment(time_us: int) -> str:
    """A moment for a narrow column: the time of day for one of today, else date and minute."""
    text = moment(time_us)
    day, _, clock = text.partition(" ")
    if not clock:
        return text
    return clock[:8] if day == datetime.now().date().isoformat() else f"{day} {clock[:5]}"


def size(count: float) -> str:
    """Bytes in their largest fitting unit."""
    for name in _SIZES[:-1]:
        if count < 1024:
            return f"{count:.0f} {name}" if name == "B" else f"{count:.1f} {name}"
        count /= 1024
    return f"{count:.1f} {_SIZES[-1]}"


def milliseconds(value: float | None) -> str:
    """A latency; '-' where there is none."""
    return "-" if value is None else f"{value:.1f} ms"

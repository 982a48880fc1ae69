"""Scales and ticks: which values an axis names, and where they stand.

Law: ticks are round numbers in the unit of the axis (1, 2 or 5 times a power of ten; for time, steps that a clock has),
never more than asked for, and every one lies within the axis. A scale of one value has a width all the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import msgspec

Label: TypeAlias = Callable[[float], str]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Later moments have no calendar.
_LAST_US = 253_402_300_799_000_000
_SECOND_US, _DAY_US = 1_000_000, 86_400_000_000
# Steps of a time axis: parts of a second, then what a clock counts by, then days.
_TIME_STEPS_US = (
    *(part * scale for scale in (1_000, 10_000, 100_000) for part in (1, 2, 5)),
    *(seconds * _SECOND_US for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800)),
    *(hours * 3_600 * _SECOND_US for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY_US for days in (1, 2, 7, 14, 30, 60, 120, 365)),
)
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_DURATIONS = ((86_400e3, "d"), (3_600e3, "h"), (60e3, "min"), (1e3, "s"), (1.0, "ms"))


class Scale(msgspec.Struct, frozen=True):
    """Maps values between `low` and `high` to coordinates between `start` and `end`; `log` by powers of ten."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = map(self._position, (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def _position(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self.log else value


def extent(values: Sequence[float], *, floor: float | None = None) -> tuple[float, float]:
    """The lowest and highest value; with `floor`, the axis begins there. A single value gets room above it."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    low = low if floor is None else min(floor, low)
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """At most `count` round values from low to high."""
    step = _round_step((high - low) / max(1, count - 1))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def tick_above(low: float, high: float, count: int) -> float:
    """The first of the ticks of that range that is not below its end."""
    step = _round_step((high - low) / max(1, count - 1))
    return round(math.ceil(high / step - 1e-9) * step, 12)


def log_ticks(low: float, high: float) -> list[float]:
    """The powers of ten from low to high; twice and five times as much as well, where there are less than three."""
    low, high = max(low, 1e-9), max(high, 1e-9)
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    within = [power for power in powers if low * (1 - 1e-9) <= power <= high * (1 + 1e-9)]
    if len(within) > 2:
        return within
    return [step * power for power in powers for step in (1, 2, 5) if low <= step * power <= high]


def time_ticks(low_us: float, high_us: float, count: int = 6) -> list[float]:
    """At most `count` moments, in microseconds since the epoch, at steps that a clock has (UTC)."""
    step_us = time_step(high_us - low_us, count - 1)
    first, last = math.ceil(low_us / step_us), math.floor(high_us / step_us)
    return [float(index * step_us) for index in range(first, last + 1)]


def time_step(length_us: float, count: int) -> int:
    """The shortest step that a clock has, in microseconds, of which at most `count` fit into this length."""
    step_us = next((step for step in _TIME_STEPS_US if length_us / step <= count), _TIME_STEPS_US[-1])
    while length_us / step_us > count:
        step_us *= 2
    return step_us


def time_label(low_us: float, high_us: float) -> Label:
    """How moments of such an axis are written: as little of date and time as tells them apart."""
    length_us = high_us - low_us
    shape = next(
        (shape for longest, shape in ((_SECOND_US, "%H:%M:%S.%f"), (600 * _SECOND_US, "%H:%M:%S"),
                                      (_DAY_US, "%H:%M"), (8 * _DAY_US, "%b %d %H:%M")) if length_us <= longest),
        "%Y-%m-%d",
    )  # fmt: skip
    return lambda us: moment(us).strftime(shape)[: -3 if shape.endswith("%f") else None]


def moment(time_us: float) -> datetime:
    """A moment in UTC; one that no calendar has is the nearest that it has."""
    return _EPOCH + timedelta(microseconds=min(max(0.0, time_us), _LAST_US))


def count_label(value: float) -> str:
    """A count with at most three digits and the prefix of its size: 950, 12.5k, 3M."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.3g}{prefix}"
    return f"{value:.3g}"


def duration_label(value_ms: float) -> str:
    """A length of time given in milliseconds, in its largest fitting unit: 0.3 ms, 1.5 s, 4 min."""
    for size, unit in _DURATIONS:
        if abs(value_ms) >= size:
            return f"{value_ms / size:.3g} {unit}"
    return f"{value_ms:.2g} ms" if value_ms else "0 ms"


def _round_step(step: float) -> float:
    if step <= 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(part * power for part in (1, 2, 5, 10) if part * power >= step * (1 - 1e-9))

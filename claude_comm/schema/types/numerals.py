"""Patterns of whole numbers in decimal: no more than a limit, or between two.

Law: each pattern is exact, without anchors, and reads the digits 0 to 9 alone.
"""

from __future__ import annotations

from collections.abc import Iterator

DIGIT = "[0-9]"
# An integer as JSON has it.
INTEGER = "-?(?:0|[1-9][0-9]*)"


def at_most(limit: int) -> str:
    """The numerals without leading zeros of 0 to `limit`."""
    return _either(_between(0, limit))


def between(low: int | None, high: int | None) -> str:
    """The numerals of the integers in a range, as JSON has them; None is no bound. Zero may have a minus."""
    if low is None and high is None:
        return INTEGER
    options: list[str] = []
    if high is None or high >= 0:
        options += _from(max(low or 0, 0)) if high is None else _between(max(low or 0, 0), high)
    if low is None or low <= 0:
        least = max(-high, 0) if high is not None else 0
        negative = _from(least) if low is None else _between(least, -low) if least <= -low else []
        options += [f"-{option}" for option in negative]
    return _either(options)


def _either(options: list[str]) -> str:
    # A class without characters: nothing fits.
    return f"(?:{'|'.join(options)})" if options else r"[^\s\S]"


def _from(low: int) -> list[str]:
    """`low` or more."""
    digits = len(str(low))
    return [*_between(low, 10**digits - 1), f"[1-9][0-9]{{{digits},}}"]


def _between(low: int, high: int) -> list[str]:
    """From `low` to `high`, both at least 0: number by number of digits."""
    options: list[str] = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first, last = max(low, 10 ** (digits - 1) if digits > 1 else 0), min(high, 10**digits - 1)
        if first <= last:
            options += _same_length(str(first), str(last))
    return options


def _same_length(low: str, high: str) -> Iterator[str]:
    """Numerals of as many digits as both have."""
    rest = len(low) - 1
    if low[1:] == "0" * rest and high[1:] == "9" * rest:
        yield _digits(low[0], high[0]) + _any(rest)
        return
    if low[0] == high[0]:
        yield from (low[0] + tail for tail in _same_length(low[1:], high[1:]))
        return
    first, last = int(low[0]), int(high[0])
    if low[1:] != "0" * rest:
        yield from (low[0] + tail for tail in _same_length(low[1:], "9" * rest))
        first += 1
    if high[1:] == "9" * rest:
        yield _digits(str(first), high[0]) + _any(rest)
        return
    if first < last:
        yield _digits(str(first), str(last - 1)) + _any(rest)
    yield from (high[0] + tail for tail in _same_length("0" * rest, high[1:]))


def _digits(low: str, high: str) -> str:
    return low if low == high else f"[{low}-{high}]"


def _any(count: int) -> str:
    return DIGIT + (f"{{{count}}}" if count > 1 else "") if count else ""

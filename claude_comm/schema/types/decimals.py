"""Decimals as Python writes them (`str`), bounded: which texts are numbers of at least, or at most, a limit.

Law: each pattern is exact over what `str` writes of a finite `Decimal`: an unsigned or negative numeral without zeros
before, with a fraction or without; or, of a number below 0.000001, and of one with zeros that are not written, a digit,
its fraction and an exponent (`1E-7`, `1.5E+3`).

Two numerals are compared from the left, digit by digit: what follows a first digit that is larger may be anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from claude_comm.schema.types.texts import NOTHING

_FRACTION = r"(?:\.[0-9]+)?"
WHOLE = "(?:0|[1-9][0-9]*)"
_EXPONENT = "[1-9][0-9]{0,16}"
_SMALL, _LARGE = rf"[0-9]{_FRACTION}E-{_EXPONENT}", rf"[1-9]{_FRACTION}E\+{_EXPONENT}"
_ZERO = rf"0(?:\.0+)?(?:E[-+]{_EXPONENT})?"
ANY = rf"{WHOLE}{_FRACTION}|{_SMALL}|{_LARGE}|{_ZERO}"
# Between the largest of those that have a negative exponent and this, nothing needs one.
_LEAST = Decimal("0.00001")


def at_least(limit: Any, *, strict: bool) -> str | None:
    """The numerals of `limit` or more (`strict`: of more); None where that is not told."""
    return _signed(limit, strict, more="", less="-")


def at_most(limit: Any, *, strict: bool) -> str | None:
    """The numerals of `limit` or less (`strict`: of less); None where that is not told."""
    return _signed(-Decimal(str(limit)), strict, more="-", less="")


def _signed(limit: Any, strict: bool, more: str, less: str) -> str | None:
    """`more` is the sign of the numbers that grow away from zero in the direction that is wanted."""
    bound = Decimal(str(limit))
    if not bound.is_finite() or 0 < abs(bound) < _LEAST:
        return None
    if bound > 0:
        return f"{more}(?:{_magnitudes(bound, strict, above=True)})"
    positive = _NOT_ZERO if bound == 0 and strict else ANY
    within = _ZERO if bound == 0 else _magnitudes(-bound, strict, above=False)
    return f"{more}(?:{positive})" + ("" if bound == 0 and strict else f"|{less}(?:{within})")


_NOT_ZERO = rf"[1-9][0-9]*{_FRACTION}|0\.0*[1-9][0-9]*|[1-9]{_FRACTION}E[-+]{_EXPONENT}"


def _magnitudes(bound: Decimal, strict: bool, *, above: bool) -> str:
    """The unsigned numerals on one side of a bound that is more than zero."""
    whole, _, fraction = f"{bound:f}".partition(".")
    fraction = fraction.rstrip("0")
    options = [*_wholes(whole, above=above), *_same_whole(whole, fraction, strict, above=above)]
    options += _powers(whole, fraction, strict, above=above)
    if not above:
        options += [_SMALL, _ZERO]
    return "|".join(options) or NOTHING


def _wholes(whole: str, *, above: bool) -> Iterator[str]:
    """Numerals whose whole part is another one: longer or shorter, or one that differs in a digit."""
    if above:
        yield f"[1-9][0-9]{{{len(whole)},}}{_FRACTION}"
    elif len(whole) > 1:
        yield f"(?:0|[1-9][0-9]{{0,{len(whole) - 2}}}){_FRACTION}"
    for at, digit in enumerate(whole):
        least = 1 if at == 0 and len(whole) > 1 else 0
        if digits := _digits(int(digit), least, above=above):
            rest = len(whole) - at - 1
            yield f"{whole[:at]}{digits}{f'[0-9]{{{rest}}}' if rest else ''}{_FRACTION}"


def _same_whole(whole: str, fraction: str, strict: bool, *, above: bool) -> Iterator[str]:
    """Numerals of the same whole part."""
    for at, digit in enumerate(fraction):
        if digits := _digits(int(digit), 0, above=above):
            yield rf"{whole}\.{fraction[:at]}{digits}[0-9]*"
    if above:
        yield rf"{whole}\.{fraction}0*[1-9][0-9]*"
    else:
        # A fraction that ends sooner is smaller.
        yield from (rf"{whole}\.{fraction[:at]}" if at else whole for at in range(len(fraction)))
    if not strict:
        yield rf"{whole}\.{fraction}0*" if fraction else rf"{whole}(?:\.0+)?"


def _powers(whole: str, fraction: str, strict: bool, *, above: bool) -> Iterator[str]:
    """Numerals with a positive exponent, which is how many digits the whole part has behind its first."""
    same = len(whole) - 1
    if above:
        yield rf"[1-9]{_FRACTION}E\+(?:{_more_than(same)})"
    yield from (rf"[1-9]{_FRACTION}E\+{power}" for power in range(1, same) if not above)
    if not same:
        return
    number = whole + fraction
    for at, digit in enumerate(number):
        if digits := _digits(int(digit), 1 if at == 0 else 0, above=above):
            yield rf"{_pointed(number[:at] + digits, at)}[0-9]*E\+{same}" if at else rf"{digits}{_FRACTION}E\+{same}"
    for length in range(1, len(number) + 1):
        equal = not number[length:].strip("0")
        if (equal and not strict) or (not equal and not above):
            yield rf"{_pointed(number[:length], length - 1)}{'0*' if length > 1 and equal else ''}E\+{same}"


def _pointed(digits: str, more: int) -> str:
    """Digits with a point behind the first, where there are more."""
    return rf"{digits[0]}\.{digits[1:]}" if more else digits


def _more_than(power: int) -> str:
    """Exponents above a small one."""
    named = "|".join(map(str, range(power + 1, 10)))
    return f"{named}|[1-9][0-9]{{1,16}}" if named else f"(?:{_two_or_more(power)})"


def _two_or_more(power: int) -> str:
    named = "|".join(map(str, range(power + 1, 100)))
    return f"{named}|[1-9][0-9]{{2,16}}" if named else "[1-9][0-9]{2,16}"


def _digits(digit: int, least: int, *, above: bool) -> str:
    """The digits above or below one."""
    low, high = (digit + 1, 9) if above else (least, digit - 1)
    return "" if low > high else f"[{low}-{high}]"

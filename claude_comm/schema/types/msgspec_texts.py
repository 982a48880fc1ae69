"""The texts that msgspec reads for a value of each type, and those that it writes.

Law: as in `texts`. What msgspec writes is said to lie within what msgspec and pydantic read, where it does.
"""

from __future__ import annotations

import re
from functools import cache

from claude_comm.schema.types import pydantic_texts as pydantic
from claude_comm.schema.types.characters import PYTHON_SPACE, bracketed, python_digits
from claude_comm.schema.types.decimals import ANY
from claude_comm.schema.types.numerals import at_most
from claude_comm.schema.types.texts import CLOCK, DATE, HEX, HOUR, SIXTY, Text, base64, zoned

_ZONE = f"(?:[Zz]|[+-]{HOUR}:?{SIXTY})"
_FRACTION = r"(?:\.[0-9]+)?"
# Digits beyond the microsecond are rounded, and the last moment of 9999 has nothing to be rounded up to.
_PAST_THE_END = r"9999-12-31[Tt ]23:59:59\.999999[5-9][0-9]*"

_WRITTEN_FRACTION = r"(?:\.[0-9]{6})?"
_WRITTEN_ZONE = f"(?:Z|[+-]{HOUR}:{SIXTY})"


def read_date() -> Text:
    return Text(DATE)


def read_time(tz: bool | None) -> Text:
    return Text(CLOCK + _FRACTION + zoned(_ZONE, tz))


def read_datetime(tz: bool | None) -> Text:
    zone = zoned(_ZONE, tz)
    return Text(f"{DATE}[Tt ]{CLOCK}{_FRACTION}{zone}", without=_PAST_THE_END + zone)


def read_duration() -> Text:
    """Days, hours, minutes and seconds, the last of them with a fraction.

    Together they may be as long as the longest `timedelta`, which is no regular matter: what is promised is one unit
    up to that bound, or several that cannot reach it.
    """
    seconds = f"0*[0-9]{{1,12}}{_FRACTION}[Ss]"
    minutes = _unit(10, "[Mm]", seconds)
    hours = _unit(9, "[Hh]", f"{minutes}|{seconds}")
    time = f"[Tt](?:{hours}|{minutes}|{seconds})"
    several = f"{_unit(8, '[Dd]', time)}|{time}"
    # Of the two longest days one is reached with a plus alone.
    whole = (
        f"0*{at_most(999_999_999)}[Dd]|[Tt]0*{at_most(23_999_999_999)}[Hh]|[Tt]0*{at_most(1_439_999_999_999)}[Mm]"
        f"|[Tt]0*{at_most(86_399_999_913_600)}[Ss]|0*{at_most(999_999_998)}[Dd]{_PART_OF_DAY}"
    )
    return Text(rf"[-+]?[Pp](?:{several}|{whole})|\+?[Pp]0*999999999[Dd]{_PART_OF_DAY}")


_PART_OF_DAY = rf"[Tt]0*{at_most(86_399)}(?:\.[0-9]{{1,6}})?[Ss]"


def _unit(digits: int, unit: str, smaller: str) -> str:
    """A number of these and then of smaller units, or the last number, with a fraction."""
    return f"0*[0-9]{{1,{digits}}}(?:{unit}(?:{smaller})?|{_FRACTION}{unit})"


def read_uuid() -> Text:
    return Text(f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}|{HEX}{{32}}")


def read_base64(least: int | None, most: int | None) -> Text:
    """Base64 with padding, of so many bytes; the bits of the last group that stand for none may be set."""
    return Text(base64(least, most, ("[A-Za-z0-9+/]{2}==", "[A-Za-z0-9+/]{3}=")))


@cache
def read_decimal(*, finite: bool = False, signalling: bool = True) -> Text:
    """What `decimal.Decimal` makes of a text: any decimal digits of Unicode, underscores anywhere, spaces around."""
    digit, space = f"(?:{bracketed(python_digits())}_*)", bracketed(PYTHON_SPACE)
    number = rf"(?:{digit}+(?:\._*{digit}*)?|\._*{digit}+)"
    # An exponent of Python has up to 18 digits, of which the number takes up some.
    exponent = rf"(?:[eE]_*(?:[-+]_*)?(?:0_*)*{digit}{{1,17}})?"
    signal = "(?:[sS]_*)?" if signalling else ""
    others = "" if finite else f"|{_spelled('inf')}(?:{_spelled('inity')})?|{signal}{_spelled('nan')}{digit}*"
    return Text(rf"{space}*_*(?:[-+]_*)?(?:{number}{exponent}{others}){space}*")


def _spelled(word: str) -> str:
    """A word in any mixture of cases, with underscores anywhere behind a letter."""
    return "".join(f"[{letter}{letter.upper()}]_*" for letter in word)


# Of so many digits, with an exponent of two, every number is a float; so it is of 300 without one.
_FEW, _MANY = 200, 300
# Behind a single digit an exponent may have three; the largest floats are 1.797…e308.
_EXPONENT = "(?:[0-9]{1,2}|[12][0-9]{2}|30[0-7])"
_LARGEST = r"1(?:\.[0-6][0-9]*)?[eE]\+?308"


_NO_NUMBER = "-?(?:[nN][aA][nN]|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
# What msgspec reads as a number where a name may be one.
NUMBER = rf"-?(?:0|[1-9][0-9]*){_FRACTION}(?:[eE][-+]?[0-9]+)?|{_NO_NUMBER}"


def reads_as_number(name: str) -> bool:
    return re.fullmatch(NUMBER, name) is not None


def read_float_key() -> tuple[Text, Text]:
    """A number as JSON writes it, as the name of a member: those that are certain to be a float, and all."""
    single = rf"[0-9]{_FRACTION}[eE]\+?{_EXPONENT}|{_LARGEST}"
    several = rf"(?:0|[1-9][0-9]{{0,{_FEW}}}){_FRACTION}[eE]\+?[0-9]{{1,2}}"
    plain = rf"(?:0|[1-9][0-9]{{0,{_MANY}}}){_FRACTION}(?:[eE]-[0-9]+)?"
    return Text(f"-?(?:{plain}|{several}|{single})|{_NO_NUMBER}"), Text(NUMBER)


def write_float_key() -> Text:
    """As `repr` has it."""
    small, large = r"(?:0|[1-9][0-9]{0,16})\.[0-9]+", rf"[0-9](?:\.[0-9]+)?e(?:-[0-9]{{2,3}}|\+{_EXPONENT})"
    return Text(rf"-?(?:{small}|{large}|1(?:\.[0-6][0-9]*)?e\+308)", within=(read_float_key()[0],))


def write_date() -> Text:
    return Text(DATE, within=(pydantic.read_date(strict=True), pydantic.read_date()))


def write_time(tz: bool | None) -> Text:
    within = read_time(None), *((read_time(tz),) if tz is not None else ()), pydantic.read_time()
    return Text(CLOCK + _WRITTEN_FRACTION + zoned(_WRITTEN_ZONE, tz), within=within)


def write_datetime(tz: bool | None) -> Text:
    narrow = (
        () if tz is None else (read_datetime(tz), pydantic.read_datetime(tz), pydantic.read_datetime(tz, strict=True))
    )
    within = (read_datetime(None), *narrow, pydantic.read_datetime(None), pydantic.read_datetime(None, strict=True))
    return Text(f"{DATE}T{CLOCK}{_WRITTEN_FRACTION}{zoned(_WRITTEN_ZONE, tz)}", within=tuple(within))


def write_duration() -> Text:
    """In wide words: how long it may be is said by the languages that it lies within."""
    days, part = "[1-9][0-9]{0,8}D", r"T(?:0|[1-9][0-9]{0,4})(?:\.[0-9]{1,6})?S"
    return Text(f"-?P(?:0D|{days}|(?:{days})?{part})", within=(read_duration(), pydantic.read_duration()))


def write_uuid(version: int | None = None) -> Text:
    hex_ = "[0-9a-f]"
    third, fourth = (f"{hex_}{{4}}",) * 2 if version is None else (f"{version}{hex_}{{3}}", f"[89ab]{hex_}{{3}}")
    versions = dict.fromkeys((version, None))
    within = read_uuid(), *(pydantic.read_uuid(other) for other in versions)
    return Text(f"{hex_}{{8}}-{hex_}{{4}}-{third}-{fourth}-{hex_}{{12}}", within=within)


def write_base64(least: int | None, most: int | None) -> Text:
    tails = "[A-Za-z0-9+/][AQgw]==", "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]="
    within = (read_base64(None, None), read_base64(least, most))
    return Text(base64(least, most, tails), within=within)


def write_decimal(*within: Text) -> Text:
    """A finite one: what is not is refused where it is sent."""
    within = (read_decimal(), read_decimal(finite=True), *within)
    return Text(f"-?(?:{ANY})", within=within)

"""The texts that pydantic reads from JSON for a value of each type, and those that it writes.

Law: as in `texts`. `strict` is pydantic's strict mode; without it, numbers and flags may be texts as well.
"""

from __future__ import annotations

from functools import cache

from claude_comm.schema.types.characters import RUST_SPACE, bracketed
from claude_comm.schema.types.numerals import at_most, between
from claude_comm.schema.types.texts import DATE, HEX, HOUR, SIXTY, Text, words, zoned

# The first and the last moment of a datetime, in milliseconds before and after 1970.
FIRST_MS, LAST_MS = 62_135_596_800_000, 253_402_300_799_999

_FRACTION = r"(?:[.,][0-9]+)?"
_TIME = f"{HOUR}:{SIXTY}(?::{SIXTY}{_FRACTION})?"
# The minus of typography is taken for one.
_ZONE = f"(?:[Zz]|[-+\u2212]{HOUR}:?{SIXTY})"


@cache
def read_date(*, strict: bool = False) -> Text:
    """A date; or, without `strict`, midnight of one. Numerals count seconds: only the first day's are promised."""
    midnight = "" if strict else rf"(?:[Tt _]00:00(?::00(?:[.,]0+)?)?{_ZONE}?)?"
    return Text(rf"{DATE}{midnight}|[-+]?0+" if strict else rf"{DATE}{midnight}|[-+]?(?:0+(?:\.0*)?|\.0+)")


@cache
def read_day_count(*, strict: bool = False) -> Text:
    """Numerals of seconds or milliseconds, of which those are dates that come to a midnight."""
    return Text("[-+]?[0-9]+" if strict else r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


@cache
def read_time() -> Text:
    return Text(f"{_TIME}{_ZONE}?")


@cache
def read_datetime(tz: bool | None, *, strict: bool = False) -> Text:
    """A moment, a count of seconds or milliseconds (which is in UTC), or, without `strict`, a day."""
    moment = f"{DATE}[Tt _]{_TIME}{zoned(_ZONE, tz)}"
    day = f"|{DATE}" if not strict and tz is not True else ""
    return Text(f"{moment}{day}{'' if tz is False else '|' + _COUNT}")


_AFTER_POINT = r"(?:\.[0-9]*)?"
_COUNT = (
    rf"\+?0*(?:{at_most(LAST_MS - 1)}{_AFTER_POINT}|{LAST_MS}(?:\.(?:[0-8][0-9]*|90*)?)?)"
    rf"|-0*(?:{at_most(FIRST_MS - 1)}{_AFTER_POINT}|{FIRST_MS}(?:\.0*)?)|[-+]?\.[0-9]+"
)


@cache
def read_duration() -> Text:
    """ISO 8601 with years to seconds, a clock of any number of hours, or days and a clock.

    As with msgspec, what could reach the longest `timedelta` is promised in its plain forms alone.
    """
    fraction = r"(?:[.,][0-9]*)?"
    date = [f"0*[0-9]{{1,{digits}}}{letter}" for digits, letter in ((6, "Y"), (7, "M"), (7, "W"), (8, "D"))]
    time = [f"0*[0-9]{{1,{digits}}}{letter}" for digits, letter in ((6, "H"), (7, "M"), (7, "S"))]
    last = f"0*[0-9]{{1,6}}{fraction}"
    several = f"{_some(date)}(?:T{_optional(time)})?|T{_some(time)}"
    broken = f"{_optional(date)}{last}[YMWD]T?|{_optional(date)}T{_optional(time[:-1])}{last}[HMS]|0*[0-9]{{1,8}}[.,]D"
    plain = (
        f"0*{at_most(999_999_998)}D(?:{_PART_OF_DAY})?|0*999999999D|{_PART_OF_DAY}"
        f"|0*{at_most(2_739_725)}Y(?:0*{at_most(364)}D)?(?:{_PART_OF_DAY})?"
        f"|2739726Y(?:[1-8]D)?(?:{_PART_OF_DAY})?|2739726Y9D"
    )
    longest = rf"\+?P(?:0*999999999D|2739726Y9D){_PART_OF_DAY}"
    # An hour of one digit needs its seconds.
    short = f"[0-9]:{SIXTY}:{SIXTY}{_FRACTION}"
    clock = f"[0-9]{{2,9}}:{SIXTY}(?::{SIXTY}{_FRACTION})?|{short}"
    day = " ?[dD](?:ays?|AYS?)?,? ?"
    days = f"0*{at_most(999_999_998)}{day}(?:{_TIME}|{short})?|0*999999999{day}"
    return Text(f"[-+]?(?:P(?:{several}|{broken}|{plain})|{clock}|{days})|{longest}")


_SECONDS = r"(?:[.,][0-9]{1,6})?S"
_PART_OF_DAY = (
    rf"T(?:0*{at_most(86_399)}{_SECONDS}|{at_most(23)}H(?:{at_most(59)}M)?(?:{at_most(59)}{_SECONDS})?"
    rf"|{at_most(59)}M(?:{at_most(59)}{_SECONDS})?)"
)


def _optional(units: list[str]) -> str:
    return "".join(f"(?:{unit})?" for unit in units)


def _some(units: list[str]) -> str:
    """At least one of these, in their order."""
    options = (unit + _optional(units[at + 1 :]) for at, unit in enumerate(units))
    return f"(?:{'|'.join(options)})"


@cache
def read_uuid(version: int | None = None) -> Text:
    third = f"{HEX}{{4}}" if version is None else f"{version}{HEX}{{3}}"
    fourth = f"{HEX}{{4}}" if version is None else f"[89abAB]{HEX}{{3}}"
    plain = f"{HEX}{{8}}-{HEX}{{4}}-{third}-{fourth}-{HEX}{{12}}"
    return Text(rf"{plain}|\{{{plain}\}}|urn:uuid:{plain}|{HEX}{{8}}{HEX}{{4}}{third}{fourth}{HEX}{{12}}")


@cache
def read_bool(*, truth: bool | None = None) -> Text:
    no, yes = words(("0", "f", "n", "no", "off", "false")), words(("1", "t", "y", "on", "yes", "true"))
    return Text(f"{no}|{yes}" if truth is None else yes if truth else no)


@cache
def read_int() -> Text:
    """Decimal digits with zeros before, single underscores between and `.0` behind, in white space.

    Python converts no more than 4,300 digits.
    """
    space = bracketed(RUST_SPACE)
    digits = r"(?:0[0_]*)?[1-9][0-9]*(?:_[0-9]+)*|0(?:[0_]*0)?"
    # Zeros before a minus are dropped: 0-1 is read as -1.
    dropped = r"\+?0[0_]*-(?:0|[1-9][0-9]*(?:_[0-9]+)*)"
    return Text(rf"{space}*(?:[-+]?(?:{digits})|{dropped})(?:\.0+)?{space}*", most_chars=4_300)


def write_int(low: int | None = None, high: int | None = None) -> Text:
    """An integer as the name of a member."""
    return Text(between(low, high), within=(read_int(),))


@cache
def read_float(*, finite: bool = False) -> Text:
    """What Rust parses as a float, in white space; or the same with single underscores in it, and no space."""
    special = words(("inf", "infinity", "nan"))
    if finite:
        # What may be beyond the longest float is not promised.
        number = r"(?:[0-9]{1,200}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?0*[0-9]{1,2})?"
        few = "[0-9](?:_?[0-9]){0,199}"
        scored = rf"(?:{few}(?:_?\.(?:_?[0-9])*)?|\._?[0-9](?:_?[0-9])*)(?:_?[eE]_?(?:[-+]_?)?[0-9](?:_?[0-9])?)?"
        return Text(f"{bracketed(RUST_SPACE)}*[-+]?{number}{bracketed(RUST_SPACE)}*|(?:[-+]_?)?{scored}")
    spelled = "|".join(_scored(word) for word in ("inf", "infinity", "nan"))
    space = bracketed(RUST_SPACE)
    return Text(f"{_NUMERAL}|{space}*[-+]?(?:{special}){space}*|(?:[-+]_?)?(?:{spelled})")


def read_numeral() -> Text:
    """The same without the words for what is not finite; it may be longer than any float."""
    return Text(_NUMERAL)


_DIGITS, _SPACE = "[0-9](?:_?[0-9])*", bracketed(RUST_SPACE)
_NUMERAL = (
    rf"{_SPACE}*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?{_SPACE}*"
    rf"|(?:[-+]_?)?(?:{_DIGITS}(?:_?\.(?:_?[0-9])*)?|\._?{_DIGITS})(?:_?[eE]_?(?:[-+]_?)?{_DIGITS})?"
)


def _scored(word: str) -> str:
    return "_?".join(words((letter,)) for letter in word)


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_DOTTED = rf"{_OCTET}(?:\.{_OCTET}){{3}}"


@cache
def read_ipv4() -> Text:
    return Text(_DOTTED)


@cache
def read_ipv6(*, zone: bool = True) -> Text:
    """Eight groups, the last two perhaps as an IPv4 address, with one run of zeros left out; a `zone` may follow."""
    group = f"{HEX}{{1,4}}"
    tail = f"(?:{group}:{group}|{_DOTTED})"
    options = [f"(?:{group}:){{6}}{tail}"]
    for before in range(8):
        head = f"{group}(?::{group}){{{before - 1}}}" if before > 1 else group if before else ""
        left = 7 - before
        ends = ["", *(f"{group}(?::{group}){{0,{left - 1}}}" if left else "",)]
        if left >= 2:
            ends.append(f"(?:{group}:){{0,{left - 2}}}{_DOTTED}")
        options.append(f"{head}::(?:{'|'.join(dict.fromkeys(ends))})")
    return Text(f"(?:{'|'.join(options)})" + ("(?:%[^%/]+)?" if zone else ""))


def write_duration() -> Text:
    """In wide words, as that of msgspec."""
    days, seconds = "[1-9][0-9]{0,2}D", r"[0-9]{1,5}(?:\.[0-9]{1,6})?S"
    part = f"T(?:[0-9]{{1,2}}H)?(?:[0-9]{{1,2}}M)?(?:{seconds})?"
    return Text(f"-?P(?:[1-9][0-9]{{0,6}}Y)?(?:{days})?(?:{part})?", within=(read_duration(),))

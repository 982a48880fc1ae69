"""Formats that a schema asserts: each as the regular language of its standard, written beside `format` as a pattern.

Law: what is asserted is said by keywords that the prover, both validators and every reader of the schema know; `format`
itself stays an annotation. A format whose texts are no regular language, or differ from reader to reader, is refused by
name: a contract that says that it asserts its formats leaves none of them out.

The languages are those that the validation vocabulary names (2020-12, section 7.3): RFC 3339 for dates and times, with
their calendar and without leap seconds, which no reader of a `datetime` takes; RFC 5321 and RFC 1123 for addresses of
mail and names of hosts, without their internationalised forms; RFC 3986, 6570 and 6901 for addresses and pointers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.pointer import pointer
from claude_comm.schema.types import pydantic_texts
from claude_comm.schema.types.texts import CLOCK, DATE, HEX, HOUR, SIXTY, Text
from claude_comm.schema.verdict import Json


def assert_formats(schema: Json) -> Json:
    """The schema with a pattern for each `format` in it; one that has it already is left as it is.

    Raises `SchemaError` for a format that cannot be asserted, with its place.
    """
    for place, name in _formats(schema):
        if not isinstance(name, str) or name not in languages():
            raise SchemaError(
                f"the format {name!r} cannot be asserted; those that can are {', '.join(languages())}. Leave it out, "
                "write a pattern for it, or leave the formats of this contract to be annotations.",
                path=place,
            )
    return _asserting(schema)


def _formats(schema: Json) -> Iterator[tuple[str, Json]]:
    """The place and the name of every format of a schema; data that only looks like one has none."""
    stack: list[tuple[tuple[str, ...], Json, keywords.Holds]] = [((), schema, "schema")]
    while stack:
        place, value, holds = stack.pop()
        if isinstance(value, dict) and holds in ("schema", "unknown") and "format" in value:
            yield pointer((*place, "format")), value["format"]
        for step, item, inner in keywords.inside(value, holds):
            if inner != "data":
                stack.append(((*place, step), item, inner))


def _asserting(schema: Json) -> Json:
    if not isinstance(schema, dict):
        return schema
    out = {name: keywords.mapped(name, value, _asserting) for name, value in schema.items()}
    return _beside(out, languages()[schema["format"]].assertions()) if "format" in schema else out


def _beside(schema: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The schema and an assertion, which is written into it where nothing stands there."""
    if schema.get("pattern", said["pattern"]) == said["pattern"] and "maxLength" not in schema.keys() & said.keys():
        return {**schema, **said}
    parts = schema.get("allOf", [])
    return schema if said in parts or said.items() <= schema.items() else {**schema, "allOf": [*parts, said]}


def format_of(pattern: Json) -> str:
    """The format that is asserted by a pattern; empty for any other."""
    return _by_pattern().get(pattern, "") if isinstance(pattern, str) else ""


@cache
def _by_pattern() -> dict[str, str]:
    return {text.assertions()["pattern"]: name for name, text in languages().items()}


@cache
def languages() -> dict[str, Text]:
    """The formats that can be asserted, each with its texts."""
    zone = f"(?:[Zz]|[+-]{HOUR}:{SIXTY})"
    time = rf"{CLOCK}(?:\.[0-9]+)?{zone}"
    ipv4, ipv6 = pydantic_texts.read_ipv4().pattern, pydantic_texts.read_ipv6(zone=False).pattern
    return {
        "date-time": Text(f"{DATE}[Tt]{time}"),
        "date": Text(DATE),
        "time": Text(time),
        "duration": Text(_duration()),
        "uuid": Text(f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}"),
        "ipv4": Text(ipv4),
        "ipv6": Text(ipv6),
        "hostname": Text(_HOST_NAME, most_chars=253),
        "email": Text(rf"{_LOCAL_PART}@(?:{_HOST_NAME}|\[(?:{ipv4}|[Ii][Pp][Vv]6:{ipv6})\])", most_chars=254),
        "uri": Text(_uri(relative=False, ipv6=ipv6)),
        "uri-reference": Text(_uri(relative=True, ipv6=ipv6)),
        "uri-template": Text(_uri_template()),
        "json-pointer": Text(_POINTER),
        "relative-json-pointer": Text(rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})"),
    }


def _duration() -> str:
    """RFC 3339, appendix A: a unit may be followed by the next smaller one alone."""
    seconds = "[0-9]+S"
    minutes = f"[0-9]+M(?:{seconds})?"
    hours = f"[0-9]+H(?:{minutes})?"
    time = f"T(?:{hours}|{minutes}|{seconds})"
    months = "[0-9]+M(?:[0-9]+D)?"
    years = f"[0-9]+Y(?:{months})?"
    return f"P(?:(?:[0-9]+D|{months}|{years})(?:{time})?|{time}|[0-9]+W)"


_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_LOCAL_PART = rf"(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})"
_POINTER = "(?:/(?:[^~/]|~[01])*)*"


def _uri(*, relative: bool, ipv6: str) -> str:
    """RFC 3986, appendix A: `URI`, or `URI-reference`."""
    coded = f"%{HEX}{{2}}"
    plain = "A-Za-z0-9._~!$&'()*+,;="
    character = f"(?:[{plain}:@-]|{coded})"
    future = rf"[Vv]{HEX}+\.[{plain}:-]+"
    # An IPv4 address is a name of a host as well.
    host = rf"(?:\[(?:{ipv6}|{future})\]|(?:[{plain}-]|{coded})*)"
    authority = f"(?:(?:[{plain}:-]|{coded})*@)?{host}(?::[0-9]*)?"
    rooted = f"//{authority}(?:/{character}*)*|/(?:{character}+(?:/{character}*)*)?"
    after = rf"(?:\?(?:{character}|[/?])*)?(?:#(?:{character}|[/?])*)?"
    absolute = f"[A-Za-z][A-Za-z0-9+.-]*:(?:{rooted}|{character}+(?:/{character}*)*|){after}"
    if not relative:
        return absolute
    # The first segment of a relative path has no colon: what stands before one would be a scheme.
    unrooted = f"(?:[{plain}@-]|{coded})+(?:/{character}*)*"
    return f"{absolute}|(?:{rooted}|{unrooted}|){after}"


# Letters of further planes, as themselves: readers write their codes differently.
_FURTHER = "\U00010000-\U0010fffd"


def _uri_template() -> str:
    """RFC 6570, section 2: literal text and expressions in braces."""
    coded = f"%{HEX}{{2}}"
    literal = rf"(?:[!#$&(-;=?-\[\]_a-z~\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef{_FURTHER}]|{coded})"
    letter = f"(?:[A-Za-z0-9_]|{coded})"
    variable = rf"{letter}+(?:\.{letter}+)*(?::[1-9][0-9]{{0,3}}|\*)?"
    return rf"(?:{literal}|\{{[+#./;?&=,!@|]?{variable}(?:,{variable})*\}})*"

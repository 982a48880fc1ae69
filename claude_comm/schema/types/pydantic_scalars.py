"""What pydantic reads and writes for values that hold no others: numbers, texts, moments, enumerations.

Law: as in `direction`, for JSON input. A node is one of pydantic's own core schemas, a plain dictionary; in lax mode a
number or a flag may also be a text. Where only code could tell which texts fulfil a bound, none is promised.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from claude_comm.schema.keywords import PYTHON_LIMITS
from claude_comm.schema.types import msgspec_texts, pydantic_texts
from claude_comm.schema.types.characters import RUST_SPACE, bracketed
from claude_comm.schema.types.decimals import WHOLE
from claude_comm.schema.types.direction import (
    Schema,
    exact_multiples,
    makes_missing,
    of_64_bits,
    opaque,
    with_far_bounds,
)
from claude_comm.schema.types.numerals import INTEGER, between
from claude_comm.schema.types.patterns import Untranslatable, from_python, from_rust
from claude_comm.schema.types.pydantic_decimals import decimal
from claude_comm.schema.types.pydantic_nodes import (
    Core,
    Mode,
    Rule,
    all_of,
    any_of,
    bounds_of,
    is_bounded,
    is_within,
    left_open,
    numerals_within,
)
from claude_comm.schema.types.texts import Text, base64


def _flags(node: Core) -> list[Schema]:
    """`true` and `false` where they are numbers that are allowed."""
    taken = [flag for flag in (False, True) if is_within(flag, node)]
    return [{"enum": taken}] if taken else []


def _bool(node: Core, mode: Mode) -> Schema:
    if not mode.accepts or mode.strict:
        return {"type": "boolean"}
    return any_of({"type": "boolean"}, {"enum": [0, 1]}, pydantic_texts.read_bool().schema())


def _int(node: Core, mode: Mode) -> Schema:
    number = {"type": "integer", **bounds_of(node)}
    if not mode.accepts:
        return of_64_bits(number)
    if mode.strict:
        return number
    return any_of(number, *_flags(node), *_int_texts(node))


def _int_texts(node: Core) -> list[Schema]:
    if not is_bounded(node):
        return [pydantic_texts.read_int().schema()]
    if node.get("multiple_of") is not None or not all(isinstance(node.get(name) or 0, int) for name in PYTHON_LIMITS):
        return [left_open(pydantic_texts.read_int())]
    low = node["ge"] if node.get("ge") is not None else None if node.get("gt") is None else node["gt"] + 1
    high = node["le"] if node.get("le") is not None else None if node.get("lt") is None else node["lt"] - 1
    if low is not None and high is not None and low > high:
        return []
    space = bracketed(RUST_SPACE)
    sure = Text(rf"{space}*{between(low, high)}(?:\.0+)?{space}*", most_chars=4_300)
    # Others, such as those with zeros before, are left to the bound itself.
    rest = left_open(pydantic_texts.read_int(), rf"{space}*{INTEGER}(?:\.0+)?{space}*")
    return [sure.schema(), rest]


_SHORT, _EXACT_CHARS = rf"{WHOLE}(?:\.[0-9]+)?", 15


def _float(node: Core, mode: Mode) -> Schema:
    numbers = _numbers(node, mode)
    if not mode.accepts or mode.strict:
        return any_of(*numbers)
    finite = node.get("allow_inf_nan", mode.config.get("allow_inf_nan", True)) is False
    text = pydantic_texts.read_float(finite=finite)
    every = pydantic_texts.read_numeral() if finite else text
    if not is_bounded(node):
        return any_of(
            *numbers, *_flags(node), text.schema(), *([left_open(every, why="the range of a float")] if finite else [])
        )
    within = numerals_within(node)
    if within is None:
        return any_of(*numbers, *_flags(node), left_open(every))
    # Of so many characters a numeral is told from a bound by a float as by its digits.
    sure = {**all_of(Text(f"-?(?:{_SHORT})"), within), "maxLength": _EXACT_CHARS}
    return any_of(*numbers, *_flags(node), sure, left_open(every, f"-?(?:{_SHORT})", _EXACT_CHARS))


def _numbers(node: Core, mode: Mode) -> list[Schema]:
    number = {"type": "number", **bounds_of(node)}
    step = number.pop("multipleOf", None)
    if step is None:
        return [with_far_bounds(number, accepts=mode.accepts)]
    exact = exact_multiples(step)
    if not mode.accepts:
        # What comes near a multiple is taken for one.
        return [with_far_bounds({**number, "multipleOf": step} if exact else number, accepts=False)]
    near = exact or {"minimum": float(step) * -1e5, "maximum": float(step) * 1e5}
    sure = {"allOf": [with_far_bounds({**number, "multipleOf": step}, accepts=True), near]}
    beside = {"not": {"multipleOf": float(Decimal(str(step)) / 1000), **near}}
    loose = with_far_bounds(number, accepts=False)
    return [sure, opaque({**loose, **beside}, f"multiple_of={step}")]


def _str(node: Core, mode: Mode) -> Schema:
    limits = {name: node.get(f"{name}_length", mode.config.get(f"str_{name}_length")) for name in ("min", "max")}
    sizes = {f"{name}Length": limit for name, limit in limits.items() if limit is not None}
    schema: Schema = {"type": "string", **sizes}
    strips = node.get("strip_whitespace", mode.config.get("str_strip_whitespace"))
    pattern = node.get("pattern")
    if not mode.accepts and _changes_case(node, mode):
        # The pattern and the lengths are those of the text before.
        return {"type": "string"}
    if mode.accepts and strips and (sizes or pattern is not None):
        return opaque({"type": "string"}, "strip_whitespace, before lengths or a pattern")
    if node.get("ascii_only"):
        schema["allOf"] = [{"pattern": "^[\\u0000-\\u007f]*$"}]
    if pattern is not None:
        schema = _patterned(schema, str(getattr(pattern, "pattern", pattern)), node, mode)
    if mode.accepts and not mode.strict and node.get("coerce_numbers_to_str", mode.config.get("coerce_numbers_to_str")):
        return opaque({"type": ["string", "number"]}, "coerce_numbers_to_str")
    return schema


def _changes_case(node: Core, mode: Mode) -> bool:
    return any(node.get(f"to_{case}", mode.config.get(f"str_to_{case}")) for case in ("lower", "upper"))


def _patterned(schema: Schema, pattern: str, node: Core, mode: Mode) -> Schema:
    engine = node.get("regex_engine", mode.config.get("regex_engine", "rust-regex"))
    compiled = not isinstance(node["pattern"], str)
    try:
        written = from_python(pattern) if compiled or engine == "python-re" else from_rust(pattern)
    except Untranslatable as error:
        return opaque(schema, f"the pattern {pattern} ({error})") if mode.accepts else schema
    return {**schema, "pattern": written}


def _bytes(node: Core, mode: Mode) -> Schema:
    form = mode.config.get("val_json_bytes" if mode.accepts else "ser_json_bytes", "utf8")
    schema = _BYTES[form](mode) if form in _BYTES else {"type": "string"}
    if mode.accepts and (node.get("min_length") is not None or node.get("max_length") is not None):
        return opaque(schema, "a length in bytes")
    return schema


def _base64(mode: Mode) -> Schema:
    if not mode.accepts:
        written = base64(None, None, ("[A-Za-z0-9+/][AQgw]==", "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]="))
        return Text(written.replace("+/", "_-")).schema()
    plain = base64(None, None, ("[A-Za-z0-9+/][AQgw]={0,2}", "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=?"))
    return Text(f"{plain}|{plain.replace('+/', '_-')}").schema()


_BYTES: dict[str, Callable[[Mode], Schema]] = {
    "utf8": lambda _mode: {"type": "string"},
    "base64": _base64,
    "hex": lambda _mode: Text("(?:[0-9a-fA-F]{2})*").schema(),
}


def _date(node: Core, mode: Mode) -> Schema:
    if not mode.accepts:
        return {"type": "number"} if counts_time(mode) else msgspec_texts.write_date().schema()
    if _told_unit(mode):
        return _of_unit(node, msgspec_texts.write_date())
    text = pydantic_texts.read_date(strict=mode.strict).schema()
    numeral = left_open(pydantic_texts.read_day_count(strict=mode.strict), why="a date as a number of seconds")
    # Midnights: in seconds as far as these are counted, else in milliseconds.
    seconds = {"type": "number", "minimum": -20_000_000_000, "maximum": 20_000_000_000, "multipleOf": 86_400}
    millis = {"type": "number", **_MOMENTS, "multipleOf": 86_400_000}
    if mode.strict:
        return _moment(node, any_of(text, numeral))
    # Less than a microsecond is no part of a day.
    part = opaque({"type": "number", **_MOMENTS, "not": {"type": "integer"}}, "a fraction of a second")
    return _moment(node, any_of(text, numeral, seconds, millis, part))


_MOMENTS: Schema = {"minimum": -pydantic_texts.FIRST_MS, "exclusiveMaximum": pydantic_texts.LAST_MS + 1}


def _datetime(node: Core, mode: Mode) -> Schema:
    zone = {"aware": True, "naive": False}.get(node.get("tz_constraint", ""))
    if not mode.accepts:
        return {"type": "number"} if counts_time(mode) else msgspec_texts.write_datetime(zone).schema()
    if _told_unit(mode):
        return _of_unit(node, msgspec_texts.write_datetime(zone))
    text = pydantic_texts.read_datetime(zone, strict=mode.strict).schema()
    count: Schema = {"type": "number", **_MOMENTS}
    return _moment(node, text if mode.strict or zone is False else any_of(text, count))


def _time(node: Core, mode: Mode) -> Schema:
    if not mode.accepts:
        return {"type": "number"} if counts_time(mode) else msgspec_texts.write_time(None).schema()
    text, count = pydantic_texts.read_time().schema(), {"type": "number", "minimum": 0, "maximum": 86_399.999999}
    zoned = node.get("tz_constraint") is not None
    return _moment(node, opaque(text, "a zone of a time") if zoned else text if mode.strict else any_of(text, count))


def _timedelta(node: Core, mode: Mode) -> Schema:
    if not mode.accepts and counts_time(mode):
        return {"type": "number"}
    if not mode.accepts:
        form = mode.config.get("ser_json_timedelta", "iso8601")
        return {"float": _SECONDS, "iso8601": pydantic_texts.write_duration().schema()}.get(form, {"type": "number"})
    text, count = pydantic_texts.read_duration().schema(), _SECONDS
    return _moment(node, text if mode.strict else any_of(text, count))


_SECONDS: Schema = {"type": "number", "minimum": -86_399_999_913_600, "exclusiveMaximum": 86_400_000_000_000}


def counts_time(mode: Mode) -> bool:
    """Whether moments and durations are written as numbers."""
    return bool(mode.config.get("ser_json_temporal", "iso8601") != "iso8601")


def _told_unit(mode: Mode) -> bool:
    """Whether the settings say what a number counts, as it is not seconds or milliseconds by its size then."""
    return bool(mode.config.get("val_temporal_unit", "infer") != "infer")


def _of_unit(node: Core, written: Text) -> Schema:
    return _moment(node, any_of(written.schema(), opaque({"type": ["string", "number"]}, "val_temporal_unit")))


def _moment(node: Core, schema: Schema) -> Schema:
    """Moments are compared by code."""
    held = [name for name in (*PYTHON_LIMITS, "now_op") if node.get(name) is not None]
    return opaque(schema, f"the bound {held[0]} of a moment") if held else schema


def _uuid(node: Core, mode: Mode) -> Schema:
    if mode.accepts:
        return pydantic_texts.read_uuid(node.get("version")).schema()
    return msgspec_texts.write_uuid(node.get("version")).schema()


def _literal(node: Core, mode: Mode) -> Schema:
    # A member of a plain enumeration equals none of the values of JSON.
    expected = [value for value in node["expected"] if not mode.accepts or _is_plain(value)]
    values = [_written(getattr(value, "value", value)) for value in expected]
    if not values:
        return {"not": {}}
    return {"enum": with_flags(values)} if mode.accepts else {"enum": values}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) or value is None


def _written(value: Any) -> Any:
    """A value of a literal or an enumeration, as it is written."""
    return value.decode() if isinstance(value, bytes) else msgspec.to_builtins(value, str_keys=True)


def with_flags(values: list[Any]) -> list[Any]:
    """In Python 1 is true, and 0 is false: the one is taken for the other."""
    numbers = {value for value in values if isinstance(value, int | float) and value in (0, 1)}
    more = [other for value in sorted(numbers) for other in (int(value), bool(value))]
    listed = list(values)
    for other in more:
        if not any(value is other or (type(value) is type(other) and value == other) for value in listed):
            listed.append(other)
    return listed


def _enum(node: Core, mode: Mode) -> Schema:
    # What JSON has none of, such as a tuple, is a value that nothing equals.
    values = [_written(member.value) for member in node["members"] if not mode.accepts or _is_plain(member.value)]
    if mode.accepts and makes_missing(node["cls"]):
        return opaque({}, f"{node['cls'].__name__}._missing_")
    flags = issubclass(node["cls"], enum.Flag)
    if not mode.accepts:
        return {"title": node["cls"].__name__, **({"type": "integer"} if flags else {"enum": values})}
    listed: Schema = {"title": node["cls"].__name__, **({"enum": with_flags(values)} if values else {"not": {}})}
    if flags:
        return any_of(
            listed, opaque({"type": ["integer", "string", "boolean"]}, f"{node['cls'].__name__}, whose values combine")
        )
    if mode.strict or node.get("sub_type") not in ("int", "float"):
        return listed
    if node["sub_type"] == "float":
        return opaque({}, f"{node['cls'].__name__}, of floats")
    space = bracketed(RUST_SPACE)
    signs = ("[-+]?" if value == 0 else "-" if value < 0 else "[+]?" for value in values)
    numerals = "|".join(f"{sign}0*{abs(value)}" for sign, value in zip(signs, values, strict=True))
    return any_of(listed, Text(rf"{space}*(?:{numerals})(?:\.0+)?{space}*").schema())


SCALARS: dict[str, Rule] = {
    "any": lambda _node, _mode: {},
    "none": lambda _node, _mode: {"type": "null"},
    "bool": _bool,
    "int": _int,
    "float": _float,
    "decimal": decimal,
    "str": _str,
    "bytes": _bytes,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "timedelta": _timedelta,
    "uuid": _uuid,
    "literal": _literal,
    "enum": _enum,
}

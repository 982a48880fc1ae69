"""What pydantic reads and writes for values that hold no others: numbers, texts, moments, enumerations.

Law: as in `direction`, for JSON input. A node is one of pydantic's own core schemas, a plain dictionary; in lax mode a
number or a flag may also be a text. Where only code could tell which texts fulfil a bound, none is promised.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from claude_comm.schema.keywords import PYTHON_LIMITS
from claude_comm.schema.types import msgspec_texts, pydantic_texts
from claude_comm.schema.types.characters import RUST_SPACE, bracketed
from claude_comm.schema.types.decimals import ANY, WHOLE, at_least, at_most
from claude_comm.schema.types.direction import Schema, makes_missing, of_64_bits, opaque
from claude_comm.schema.types.numerals import INTEGER, between
from claude_comm.schema.types.patterns import Untranslatable, from_python, from_rust
from claude_comm.schema.types.texts import Text, base64

Core: TypeAlias = Mapping[str, Any]


class Mode(msgspec.Struct, frozen=True):
    """How a node is used: in which direction, and under which settings of its model."""

    accepts: bool
    strict: bool = False
    config: Mapping[str, Any] = {}

    def within(self, node: Core) -> Mode:
        """The mode of a node that may set `strict` itself: not for the nodes within it."""
        own = node.get("strict")
        return self if own is None or own == self.strict else msgspec.structs.replace(self, strict=own)


Rule: TypeAlias = Callable[[Core, Mode], Schema]


def any_of(*schemas: Schema) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


_BOUNDS = (*PYTHON_LIMITS, "multiple_of")


def _bounds(node: Core) -> Schema:
    said = {keyword: node[name] for name, keyword in PYTHON_LIMITS.items() if node.get(name) is not None}
    return said if node.get("multiple_of") is None else {**said, "multipleOf": node["multiple_of"]}


def _bounded(node: Core) -> bool:
    return any(node.get(name) is not None for name in _BOUNDS)


def _within(value: float, node: Core) -> bool:
    """Whether a number is within a node's bounds."""
    low, above, high, below = (node.get(name) for name in ("ge", "gt", "le", "lt"))
    step = node.get("multiple_of")
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
        and (step is None or value % step == 0)
    )


def _flags(node: Core) -> list[Schema]:
    """`true` and `false` where they are numbers that are allowed."""
    taken = [flag for flag in (False, True) if _within(flag, node)]
    return [{"enum": taken}] if taken else []


def _bool(node: Core, mode: Mode) -> Schema:
    if not mode.accepts or mode.strict:
        return {"type": "boolean"}
    return any_of({"type": "boolean"}, {"enum": [0, 1]}, pydantic_texts.read_bool().schema())


def _int(node: Core, mode: Mode) -> Schema:
    number = {"type": "integer", **_bounds(node)}
    if not mode.accepts:
        return of_64_bits(number)
    if mode.strict:
        return number
    return any_of(number, *_flags(node), *_int_texts(node))


def _int_texts(node: Core) -> list[Schema]:
    if not _bounded(node):
        return [pydantic_texts.read_int().schema()]
    if node.get("multiple_of") is not None or not all(isinstance(node.get(name) or 0, int) for name in PYTHON_LIMITS):
        return [_left_open(pydantic_texts.read_int())]
    low = node["ge"] if node.get("ge") is not None else None if node.get("gt") is None else node["gt"] + 1
    high = node["le"] if node.get("le") is not None else None if node.get("lt") is None else node["lt"] - 1
    if low is not None and high is not None and low > high:
        return []
    space = bracketed(RUST_SPACE)
    sure = Text(rf"{space}*{between(low, high)}(?:\.0+)?{space}*", most_chars=4_300)
    # Others, such as those with zeros before, are left to the bound itself.
    rest = _left_open(pydantic_texts.read_int(), rf"{space}*{INTEGER}(?:\.0+)?{space}*")
    return [sure.schema(), rest]


def _float(node: Core, mode: Mode) -> Schema:
    number = {"type": "number", **_bounds(node)}
    if not mode.accepts or mode.strict:
        return number
    finite = node.get("allow_inf_nan", mode.config.get("allow_inf_nan", True)) is False
    text = pydantic_texts.read_float(finite=finite)
    if not _bounded(node):
        return any_of(number, *_flags(node), text.schema())
    within = _numerals_within(node)
    if within is None:
        return any_of(number, *_flags(node), _left_open(text))
    # Of so many characters a numeral is told from a bound by a float as by its digits.
    sure = {**_all_of(Text(f"-?(?:{_SHORT})"), within), "maxLength": _EXACT_CHARS}
    return any_of(number, *_flags(node), sure, _left_open(text, f"-?(?:{_SHORT})", _EXACT_CHARS))


_BOUND_OF_TEXT = "a bound of a number that is written as text"
_SHORT, _EXACT_CHARS = rf"{WHOLE}(?:\.[0-9]+)?", 15


def _left_open(text: Text, known: str = "", chars: int = 0, why: str = _BOUND_OF_TEXT) -> Schema:
    """Numerals of which a bound decides, but for those that are known, of up to so many characters."""
    schema = text.schema()
    if known:
        schema["not"] = {"pattern": f"^(?:{known})$", **({"maxLength": chars} if chars else {})}
    return opaque(schema, why)


def _decimal(node: Core, mode: Mode) -> Schema:
    digits, places = node.get("max_digits"), node.get("decimal_places")
    within = _numerals_within(node)
    if not mode.accepts:
        scaled = _scaled_text(digits, places)
        return _all_of(msgspec_texts.write_decimal(*([scaled] if scaled else [])), within or [])
    bounds = {keyword: _number(limit) for keyword, limit in _bounds(node).items()}
    every = msgspec_texts.read_decimal(finite=node.get("allow_inf_nan") is not True)
    tuples = [] if mode.strict else [_DECIMAL_TUPLE]
    if digits is not None or places is not None:
        return _scaled(node, bounds, every, tuples)
    if not bounds:
        return any_of({"type": "number"}, every.schema(), *tuples)
    # Of what `str` writes the bounds are known; other texts of a number are left to the bound itself.
    sure = [] if within is None else [_all_of(msgspec_texts.write_decimal(), within)]
    rest = _left_open(every, f"-?(?:{ANY})" if sure else "")
    parts = [opaque(part, "a bound of a decimal") for part in tuples]
    return any_of({"type": "number", **bounds}, *sure, rest, *parts)


def _numerals_within(node: Core) -> list[str] | None:
    """Patterns that the numerals within a node's bounds match, all of them; None where a bound is not told."""
    sides = (("ge", at_least, False), ("gt", at_least, True), ("le", at_most, False), ("lt", at_most, True))
    patterns = [tell(node[name], strict=strict) for name, tell, strict in sides if node.get(name) is not None]
    if node.get("multiple_of") is not None:
        return None
    known = [pattern for pattern in patterns if pattern is not None]
    return known if len(known) == len(patterns) else None


def _all_of(text: Text, patterns: list[str]) -> Schema:
    """The texts that match all of these."""
    return msgspec.structs.replace(text, within=(*text.within, *map(Text, patterns))).schema()


# Sign, digits and exponent.
_DIGIT = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "boolean"}]}
_DECIMAL_TUPLE: Schema = {
    "type": "array",
    "prefixItems": [
        {"enum": [0, 1, False, True]},
        {"type": "array", "items": _DIGIT},
        {"anyOf": [{"type": "integer", "minimum": -(10**15), "maximum": 10**15}, {"type": "boolean"}]},
    ],
    "minItems": 3,
    "maxItems": 3,
}


def _number(limit: Any) -> Any:
    """A bound of decimals, as JSON has it."""
    return int(limit) if limit == int(limit) else float(limit)


def _scaled(node: Core, bounds: Schema, every: Text, tuples: list[Schema]) -> Schema:
    """So many digits, of which so many behind the point; `every` and `tuples` are what else may be a decimal."""
    digits, places, within = node.get("max_digits"), node.get("decimal_places"), _numerals_within(node)
    rest = opaque(any_of({"type": "number", **bounds}, {"type": "string"}, *tuples), "a number of digits")
    text = _scaled_text(digits, places)
    if text is None or places is None or within is None:
        return rest
    number: Schema = {"type": "number", "multipleOf": _number_of_places(places)}
    if digits is not None:
        number |= {"exclusiveMinimum": -(10 ** (digits - places)), "exclusiveMaximum": 10 ** (digits - places)}
    if digits == places:
        # A nought stands before the point, which is one digit too many.
        number["not"] = {"const": 0}
    sure = _all_of(text, within)
    if bounds:
        return any_of({"allOf": [number, bounds]}, sure, rest)
    others = [opaque(part, "a number of digits") for part in tuples]
    return any_of(number, sure, _left_open(every, r"[-+]?[0-9]+(?:\.[0-9]+)?", why="a number of digits"), *others)


def _scaled_text(digits: int | None, places: int | None) -> Text | None:
    if places is None or (digits is not None and digits < max(places, 1)):
        return None
    fraction = rf"\.[0-9]{{1,{places}}}0*" if places else r"\.0*"
    if digits == places:
        return Text(f"[-+]?0+{fraction}")
    whole = "[0-9]+" if digits is None else f"0*[0-9]{{1,{digits - places}}}"
    return Text(f"[-+]?{whole}(?:{fraction})?")


def _number_of_places(places: int) -> Any:
    return 1 if places == 0 else float(f"1e-{places}")


def _str(node: Core, mode: Mode) -> Schema:
    limits = {name: node.get(f"{name}_length", mode.config.get(f"str_{name}_length")) for name in ("min", "max")}
    sizes = {f"{name}Length": limit for name, limit in limits.items() if limit is not None}
    schema: Schema = {"type": "string", **sizes}
    strips = node.get("strip_whitespace", mode.config.get("str_strip_whitespace"))
    pattern = node.get("pattern")
    if mode.accepts and strips and (sizes or pattern is not None):
        return opaque({"type": "string"}, "strip_whitespace, before lengths or a pattern")
    if node.get("ascii_only"):
        schema["allOf"] = [{"pattern": "^[\\u0000-\\u007f]*$"}]
    if pattern is not None:
        schema = _patterned(schema, str(getattr(pattern, "pattern", pattern)), node, mode)
    if mode.accepts and not mode.strict and node.get("coerce_numbers_to_str", mode.config.get("coerce_numbers_to_str")):
        return opaque({"type": ["string", "number"]}, "coerce_numbers_to_str")
    return schema


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
    plain = base64(None, None, ("[A-Za-z0-9+/][AQgw](?:==)?", "[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=?"))
    return Text(f"{plain}|{plain.replace('+/', '_-')}").schema()


_BYTES: dict[str, Callable[[Mode], Schema]] = {
    "utf8": lambda _mode: {"type": "string"},
    "base64": _base64,
    "hex": lambda _mode: Text("(?:[0-9a-fA-F]{2})*").schema(),
}


def _date(node: Core, mode: Mode) -> Schema:
    if not mode.accepts:
        return msgspec_texts.write_date().schema()
    text = pydantic_texts.read_date(strict=mode.strict).schema()
    # Midnights: in seconds as far as these are counted, else in milliseconds.
    seconds = {"type": "number", "minimum": -20_000_000_000, "maximum": 20_000_000_000, "multipleOf": 86_400}
    millis = {"type": "number", **_MOMENTS, "multipleOf": 86_400_000}
    return _moment(node, text if mode.strict else any_of(text, seconds, millis))


_MOMENTS: Schema = {"minimum": -pydantic_texts.FIRST_MS, "exclusiveMaximum": pydantic_texts.LAST_MS + 1}


def _datetime(node: Core, mode: Mode) -> Schema:
    zone = {"aware": True, "naive": False}.get(node.get("tz_constraint", ""))
    if not mode.accepts:
        return msgspec_texts.write_datetime(zone).schema()
    text = pydantic_texts.read_datetime(zone, strict=mode.strict).schema()
    count: Schema = {"type": "number", **_MOMENTS}
    return _moment(node, text if mode.strict or zone is False else any_of(text, count))


def _time(node: Core, mode: Mode) -> Schema:
    if not mode.accepts:
        return msgspec_texts.write_time(None).schema()
    text, count = pydantic_texts.read_time().schema(), {"type": "number", "minimum": 0, "maximum": 86_399.999999}
    zoned = node.get("tz_constraint") is not None
    return _moment(node, opaque(text, "a zone of a time") if zoned else text if mode.strict else any_of(text, count))


def _timedelta(node: Core, mode: Mode) -> Schema:
    if not mode.accepts:
        form = mode.config.get("ser_json_timedelta", "iso8601")
        return {"float": _SECONDS, "iso8601": pydantic_texts.write_duration().schema()}.get(form, {"type": "number"})
    text, count = pydantic_texts.read_duration().schema(), _SECONDS
    return _moment(node, text if mode.strict else any_of(text, count))


_SECONDS: Schema = {"type": "number", "minimum": -86_399_999_913_600, "exclusiveMaximum": 86_400_000_000_000}


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
    values = [getattr(value, "value", value) for value in expected]
    if not values:
        return {"not": {}}
    return {"enum": with_flags(values)} if mode.accepts else {"enum": values}


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float) or not isinstance(value, enum.Enum)


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
    values = [member.value for member in node["members"]]
    if mode.accepts and makes_missing(node["cls"]):
        return opaque({}, f"{node['cls'].__name__}._missing_")
    flags = issubclass(node["cls"], enum.Flag)
    if not mode.accepts:
        return {"title": node["cls"].__name__, **({"type": "integer"} if flags else {"enum": values})}
    listed: Schema = {"title": node["cls"].__name__, "enum": with_flags(values)}
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
    "decimal": _decimal,
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

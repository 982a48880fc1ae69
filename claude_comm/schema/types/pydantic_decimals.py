"""Decimals as pydantic reads and writes them, by bounds and by how many digits they may have.

Law: as in `pydantic_scalars`. Of so many digits the plain numerals, and those that `str` writes with an exponent, are
certain; what else may be a decimal is left to code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from claude_comm.schema.types import msgspec_texts
from claude_comm.schema.types.decimals import ANY
from claude_comm.schema.types.direction import Schema, opaque
from claude_comm.schema.types.pydantic_nodes import Core, Mode, all_of, any_of, bounds_of, left_open, numerals_within
from claude_comm.schema.types.texts import Text


def decimal(node: Core, mode: Mode) -> Schema:
    digits, places = node.get("max_digits"), node.get("decimal_places")
    within = numerals_within(node)
    if not mode.accepts:
        scaled = _scaled_text(digits, places)
        return all_of(msgspec_texts.write_decimal(*([scaled] if scaled else [])), within or [])
    bounds = {keyword: _number(limit) for keyword, limit in bounds_of(node).items()}
    every = msgspec_texts.read_decimal(finite=node.get("allow_inf_nan") is not True)
    tuples = [] if mode.strict else [_DECIMAL_TUPLE]
    if digits is not None or places is not None:
        return _scaled(node, bounds, every, tuples)
    if not bounds:
        return any_of({"type": "number"}, every.schema(), *tuples)
    # Of what `str` writes the bounds are known; other texts of a number are left to the bound itself.
    sure = [] if within is None else [all_of(msgspec_texts.write_decimal(), within)]
    rest = left_open(every, f"-?(?:{ANY})" if sure else "")
    parts = [opaque(part, "a bound of a decimal") for part in tuples]
    return any_of({"type": "number", **bounds}, *sure, rest, *parts)


# Sign, digits and exponent.
_DIGIT = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "boolean"}]}
_DECIMAL_TUPLE: Schema = {
    "type": "array",
    "prefixItems": [
        {"enum": [0, 1, False, True]},
        {"type": "array", "items": _DIGIT},
        {
            "anyOf": [
                {"type": "integer", "minimum": -(10**15), "maximum": 10**15},
                {"type": "boolean"},
                opaque({"type": "integer"}, "the exponent of a decimal"),
            ]
        },
    ],
    "minItems": 3,
    "maxItems": 3,
}


def _number(limit: Any) -> Any:
    """A bound of decimals, as JSON has it."""
    return int(limit) if limit == int(limit) else float(limit)


def _scaled(node: Core, bounds: Schema, every: Text, tuples: list[Schema]) -> Schema:
    """So many digits, of which so many behind the point; `every` and `tuples` are what else may be a decimal."""
    digits, places, within = node.get("max_digits"), node.get("decimal_places"), numerals_within(node)
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
    sure = all_of(text, within)
    if bounds:
        return any_of({"allOf": [number, bounds]}, sure, rest)
    others = [opaque(part, "a number of digits") for part in tuples]
    return any_of(number, sure, left_open(every, r"[-+]?[0-9]+(?:\.[0-9]+)?", why="a number of digits"), *others)


def _scaled_text(digits: int | None, places: int | None) -> Text | None:
    if places is None or (digits is not None and digits < max(places, 1)):
        return None
    fraction = rf"\.[0-9]{{1,{places}}}0*" if places else r"\.0*"
    powers = "|".join(_powers(None if digits is None else digits - places, places))
    if digits == places:
        return Text(f"[-+]?0+{fraction}|-?(?:{powers})")
    whole = "[0-9]+" if digits is None else f"0*[0-9]{{1,{digits - places}}}"
    return Text(f"[-+]?{whole}(?:{fraction})?|-?(?:{powers})")


_MOST_POWERS = 60


def _powers(whole: int | None, places: int) -> Iterator[str]:
    """What `str` writes with an exponent, of numbers with so many digits before the point and behind it."""
    yield rf"0E{'[-+]' if whole != 0 else '-'}[1-9][0-9]{{0,16}}"
    for power in range(1, _MOST_POWERS if whole is None else min(whole, _MOST_POWERS)):
        yield rf"[1-9](?:\.[0-9]{{1,{power - 1}}})?E\+{power}" if power > 1 else rf"[1-9]E\+{power}"
    if whole is None:
        yield rf"[1-9](?:\.[0-9]{{1,{_MOST_POWERS - 1}}})?E\+(?:[6-9][0-9]|[1-9][0-9]{{2,16}})"
    for power in range(7, min(places, _MOST_POWERS) + 1):
        more = places - power
        yield rf"[1-9](?:\.[0-9]{{1,{more}}})?E-{power}" if more else rf"[1-9]E-{power}"


def _number_of_places(places: int) -> Any:
    return 1 if places == 0 else float(f"1e-{places}")

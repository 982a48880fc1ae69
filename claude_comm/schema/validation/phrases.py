"""What a refusal means, in words: one phrase a keyword.

Law: `need` completes "it must be ..." and `deed` completes "it may be ..."; both speak of the message and never of
the validator, and neither is ever longer than a line.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from claude_comm.schema.verdict import Json

MAX_TEXT = 60
# `json.dumps` makes one anew for each call with options.
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One keyword that refuses one value: where (`path`, `schema_path`), which `rule`, and the `value` met there."""

    path: tuple[str | int, ...]
    schema_path: tuple[str | int, ...]
    rule: str
    limit: Json
    value: Json
    # What is needed, where that is more than the rule and its limit say.
    need: str = ""


def place(path: Sequence[str | int]) -> str:
    """A path in a message: `$` is the whole of it, then `$.items[0].price`."""
    text = "$"
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}"
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def subject(path: Sequence[str | int]) -> str:
    """How a sentence names the place."""
    if not path:
        return "the message"
    if path[-1] == "*":
        return f"an item of {subject(path[:-1])}"
    return f"`{place(path)[1:].lstrip('.')}`"


def shown(value: Json) -> str:
    """A value as JSON, cut to a length that a sentence can bear."""
    # The encoder takes ten times as long for a number alone.
    text = str(value) if type(value) is int else _ENCODER.encode(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def need_of(refusal: Refusal) -> str:
    """What the schema asks for there: completes "the consumer needs ..."."""
    return refusal.need or needed(refusal.rule, refusal.limit)


def needed(rule: str, limit: Json) -> str:
    """What the schema asks for: completes "the consumer needs ..."."""
    if rule == "type":
        return " or ".join(_TYPES.get(name, str(name)) for name in (limit if isinstance(limit, list) else [limit]))
    if rule == "enum" and isinstance(limit, list) and len(limit) != 1:
        return "one of " + ", ".join(shown(value) for value in limit[:8]) + (", ..." if len(limit) > 8 else "")
    if rule == "enum" and isinstance(limit, list):
        rule, limit = "const", limit[0]
    if rule == "pattern" and (name := _format_of(limit)):
        rule, limit = "format", name
    phrase = _NEEDS.get(rule)
    if phrase is not None and limit == 1:
        phrase = _ONE.get(rule, phrase)
    return phrase.format(limit if isinstance(limit, _NUMBERS) else shown(limit)) if phrase else f"`{rule}` to hold"


def contained_need(rule: str, schema: Json) -> str:
    """How many items a schema with `contains` asks for: an array with none of them is refused as one with too many."""
    if not isinstance(schema, dict) or rule not in schema:
        return ""
    count = schema[rule]
    if rule == "minContains":
        amount = f"at least {count}"
    elif "minContains" in schema or not count:
        amount = f"at most {count}"
    else:
        amount = f"1 to {count}" if count > 1 else "exactly 1"
    return f"{amount} {_many(count, 'item')} of the kind that `contains` describes"


def _format_of(pattern: Json) -> str:
    """The format that a pattern asserts; empty for one that somebody wrote."""
    if not isinstance(pattern, str) or not pattern.startswith("^(?:"):
        return ""
    from claude_comm.schema.types.formats import format_of

    return format_of(pattern)


def actual(rule: str, limit: Json, value: Json) -> str:
    """What the message has there: completes "it may be ..."."""
    number = isinstance(value, _NUMBERS) and not isinstance(value, bool)
    if rule in {"minimum", "exclusiveMinimum"} and number and value < 0 and limit in (0, None):
        return "negative"
    if rule == "type":
        return kind(value)
    if isinstance(value, str) and rule in {"minLength", "maxLength"}:
        return "empty" if not value else f"{len(value)} {_many(len(value), 'character')} long"
    if isinstance(value, list) and rule in {"minItems", "maxItems"}:
        return "empty" if not value else f"{len(value)} {_many(len(value), 'item')} long"
    if isinstance(value, dict) and rule in {"minProperties", "maxProperties"}:
        return "empty" if not value else f"an object of {len(value)} {_many(len(value), 'property')}"
    return shown(value)


def kind(value: Json) -> str:
    """The JSON type of a value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "an array"
    return "an integer" if value == int(value) else "a number with a fraction"


def _many(count: int, noun: str) -> str:
    if count == 1:
        return noun
    return noun[:-1] + "ies" if noun.endswith("y") else noun + "s"


# A union of types is made anew by each question.
_NUMBERS = (int, float)
_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
    "array": "an array",
    "object": "an object",
}

_ONE = {
    "minLength": "at least {} character",
    "maxLength": "at most {} character",
    "minItems": "at least {} item",
    "maxItems": "at most {} item",
    "minProperties": "at least {} property",
    "maxProperties": "at most {} property",
}

_NEEDS = {
    "const": "exactly {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "pattern": "text that matches {}",
    "format": "text in the format {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "uniqueItems": "items that all differ",
    "contains": "an item of the kind that `contains` describes",
    "minContains": "more items of the kind that `contains` describes",
    "maxContains": "fewer items of the kind that `contains` describes",
    "additionalItems": "no items after the declared ones",
    "unevaluatedItems": "no items beyond the declared ones",
    "items": "no items after the declared ones",
    "minProperties": "at least {} properties",
    "maxProperties": "at most {} properties",
    "propertyNames": "property names of another form",
    "not": "something else than what `not` describes",
    "anyOf": "one of the forms that it lists",
    "oneOf": "exactly one of the forms that it lists",
    "if": "what its condition asks for",
    "false schema": "nothing here",
}

"""Exact schemas of pydantic's models, and of every type that holds one.

Law: as in `direction`, for `model_validate_json` and for `model_dump(mode="json", by_alias=True)`. What is walked is
the core schema that pydantic itself has made of the model, so that aliases, modes and settings are those that it
validates by. A kind of node that has no rule here is opaque.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.types import msgspec_texts, pydantic_texts
from claude_comm.schema.types.definitions import Definitions
from claude_comm.schema.types.direction import Direction, Schema, opaque
from claude_comm.schema.types.pydantic_collections import array_of, mapping_of, set_of, sizes
from claude_comm.schema.types.pydantic_fields import fields, model, named_tuple, typed_dict
from claude_comm.schema.types.pydantic_functions import after, before, plain, serialized, wrap
from claude_comm.schema.types.pydantic_nodes import Core, Mode, any_of, left_open
from claude_comm.schema.types.pydantic_scalars import SCALARS, counts_time, with_flags
from claude_comm.schema.types.pydantic_walk import PydanticWalk, Rule
from claude_comm.schema.types.texts import Text


def pydantic_schema(core: Core, direction: Direction) -> Schema:
    """Of a core schema of pydantic. Raises SchemaError for a type without JSON."""
    walk = _CoreWalk()
    return walk.definitions.whole(walk.schema(core, Mode(accepts=direction == "accepts")))


class _CoreWalk:
    def __init__(self) -> None:
        self.definitions = Definitions()
        self.referred: dict[str, Core] = {}

    def schema(self, node: Core, mode: Mode) -> Schema:
        if not mode.accepts and "serialization" in node:
            return serialized(self, node, mode)
        kind = node["type"]
        if kind in SCALARS:
            return SCALARS[kind](node, mode.within(node))
        rule = _RULES.get(kind)
        if rule is None:
            return opaque({}, f"pydantic's {kind}") if mode.accepts else {}
        return rule(self, node, mode)

    def key(self, node: Core, mode: Mode) -> Schema:
        """What the name of a member must be."""
        rule = (_KEYS_READ if mode.accepts else _KEYS_WRITTEN).get(node["type"])
        if rule is not None:
            return rule(self, node, mode)
        return opaque({}, f"a key that is a {node['type']}") if mode.accepts else {}


def _nullable(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    return any_of(walk.schema(node["schema"], mode), {"type": "null"})


def _inner(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node["schema"], mode)


def _default(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """What is wrong may be left out, or its default be taken for it."""
    schema = walk.schema(node["schema"], mode)
    if not mode.accepts or node.get("on_error", "raise") == "raise":
        return schema
    return any_of(schema, opaque({}, "what becomes of a value that is wrong"))


def _union(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    choices = (choice[0] if isinstance(choice, tuple) else choice for choice in node["choices"])
    return any_of(*(walk.schema(choice, mode) for choice in choices))


def _tagged(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    name = node["discriminator"]
    if not isinstance(name, str):
        schema = any_of(*(walk.schema(choice, mode) for choice in node["choices"].values()))
        return opaque(schema, "a discriminator that is a function or a path") if mode.accepts else schema
    options = []
    for tag, choice in node["choices"].items():
        told = {"enum": with_flags([getattr(tag, "value", tag)])}
        tags = {"type": "object", "properties": {name: told}, "required": [name]}
        schema = walk.schema(choice, mode)
        options.append({"allOf": [schema, tags]} if mode.accepts else schema)
    return any_of(*options)


def _chain(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    first, *others = node["steps"]
    schema = walk.schema(first, mode)
    return opaque(schema, "a chain of validators") if mode.accepts and others else schema


def _lax_or_strict(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node["strict_schema" if mode.within(node).strict else "lax_schema"], mode)


def _json_or_python(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node["json_schema"], mode)


def _never(_walk: PydanticWalk, _node: Core, mode: Mode) -> Schema:
    """An instance of a class: no JSON is one."""
    return {"not": {}} if mode.accepts else {}


def _tuple(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    items = [walk.schema(item, mode) for item in node["items_schema"]]
    at = node.get("variadic_item_index")
    if at is None:
        return {
            "type": "array",
            **({"prefixItems": items} if items else {}),
            "minItems": len(items),
            "maxItems": len(items),
        }
    if at < len(items) - 1:
        schema = {"type": "array", "items": any_of(*items), "minItems": len(items) - 1}
        return opaque(schema, "a tuple of any length with an end") if mode.accepts else schema
    start = {"prefixItems": items[:at], "minItems": at} if at else {}
    return {"type": "array", **start, "items": items[at], **sizes(node, "Items")}


def _definitions(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    walk.referred |= {definition["ref"]: definition for definition in node["definitions"]}
    return walk.schema(node["schema"], mode)


def _reference(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    target = walk.referred[node["schema_ref"]]
    if target["type"] in ("model", "dataclass", "typed-dict"):
        return walk.schema(target, mode)
    name = node["schema_ref"].partition(":")[0].rpartition(".")[2]
    key = ("definition", node["schema_ref"], mode.strict)
    return walk.definitions.refer(key, name, lambda: walk.schema(target, mode))


def _url(_walk: PydanticWalk, _node: Core, mode: Mode) -> Schema:
    return opaque({"type": "string"}, "pydantic's reading of a URL") if mode.accepts else {"type": "string"}


_RULES: dict[str, Rule] = {
    "nullable": _nullable,
    "default": _default,
    "custom-error": _inner,
    "union": _union,
    "tagged-union": _tagged,
    "chain": _chain,
    "lax-or-strict": _lax_or_strict,
    "json-or-python": _json_or_python,
    "function-after": after,
    "function-wrap": wrap,
    "function-before": before,
    "function-plain": plain,
    **dict.fromkeys(("is-instance", "is-subclass", "callable"), _never),
    **dict.fromkeys(("list", "deque"), array_of),
    **dict.fromkeys(("set", "frozenset"), set_of),
    "tuple": _tuple,
    **dict.fromkeys(("dict", "ordered-dict"), mapping_of),
    **dict.fromkeys(("model", "dataclass"), model),
    **dict.fromkeys(("model-fields", "dataclass-args"), fields),
    "typed-dict": typed_dict,
    "named-tuple": named_tuple,
    "definitions": _definitions,
    "definition-ref": _reference,
    **dict.fromkeys(("url", "multi-host-url"), _url),
}


def _as_scalar(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node, mode)


def _listed_key(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """As a value, where no mode is strict; of a flag all words that stand for it."""
    schema = walk.schema(node, msgspec.structs.replace(mode, strict=False))
    values = [getattr(value, "value", value) for value in node.get("expected", node.get("members"))]
    flags = [flag for flag in (False, True) if any(value is flag for value in values)]
    return any_of(schema, *(pydantic_texts.read_bool(truth=flag).schema() for flag in flags))


def _text(text: Callable[[], Text]) -> Rule:
    return lambda _walk, _node, _mode: text().schema()


def _number_key(text: Callable[[], Text]) -> Rule:
    def rule(_walk: PydanticWalk, node: Core, _mode: Mode) -> Schema:
        bounded = any(node.get(name) is not None for name in ("ge", "gt", "le", "lt", "multiple_of"))
        return opaque(text().schema(), "a bound of a key") if bounded else text().schema()

    return rule


def _float_key(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    finite = node.get("allow_inf_nan", mode.config.get("allow_inf_nan", True)) is False
    key = _number_key(lambda: pydantic_texts.read_float(finite=finite))(walk, node, mode)
    return any_of(key, left_open(pydantic_texts.read_numeral(), why="the range of a float")) if finite else key


def _moment_key(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """As text, unless the settings have it as a number."""
    return {} if counts_time(mode) or mode.config.get("ser_json_timedelta") == "float" else walk.schema(node, mode)


def _written_key(value: Any) -> str:
    value = getattr(value, "value", value)
    return str(value).lower() if isinstance(value, bool) else str(value)


_OF_TEXT = ("any", "str", "uuid", "decimal", "date", "datetime", "time", "timedelta", "bytes")
_KEYS_READ: dict[str, Rule] = {
    **dict.fromkeys(_OF_TEXT, _as_scalar),
    "int": _number_key(pydantic_texts.read_int),
    "float": _float_key,
    "bool": _text(pydantic_texts.read_bool),
    **dict.fromkeys(("literal", "enum"), _listed_key),
    "nullable": lambda walk, node, mode: walk.key(node["schema"], mode),
    "default": lambda walk, node, mode: walk.key(node["schema"], mode),
    "union": lambda walk, node, mode: any_of(
        *(walk.key(choice[0] if isinstance(choice, tuple) else choice, mode) for choice in node["choices"])
    ),
    "definition-ref": lambda walk, node, mode: walk.key(walk.referred[node["schema_ref"]], mode),
}
_KEYS_WRITTEN: dict[str, Rule] = {
    **_KEYS_READ,
    "int": _text(pydantic_texts.write_int),
    "float": _text(msgspec_texts.write_float_key),
    "bool": lambda _walk, _node, _mode: {"enum": ["false", "true"]},
    "literal": lambda _walk, node, _mode: {"enum": [_written_key(value) for value in node["expected"]]},
    "enum": lambda _walk, node, _mode: {"enum": [_written_key(member) for member in node["members"]]},
    "nullable": lambda walk, node, mode: any_of(walk.key(node["schema"], mode), {"enum": ["None"]}),
    **dict.fromkeys(("date", "datetime", "time", "timedelta"), _moment_key),
}


def core_schema(shape: Any) -> Core:
    """What pydantic has made of a type. Raises SchemaError where it can make nothing of it."""
    # Asked for by types of pydantic alone, which has been imported then.
    import pydantic

    try:
        # A copy: where a name that a model waits for is not there, pydantic says so only when it is read.
        core: Core = {**pydantic.TypeAdapter(shape).core_schema}
    except (pydantic.errors.PydanticUserError, NameError) as error:
        raise SchemaError(f"pydantic makes no schema of {shape!r}: {str(error).splitlines()[0]}") from None
    return core

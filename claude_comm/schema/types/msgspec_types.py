"""Exact schemas of what msgspec knows: Structs, dataclasses, attrs, TypedDict, NamedTuple, builtins.

Law: as in `direction`, for msgspec's decoder in its strict mode over values of the model (`docs/values.md`), in which
1 and 1.0 are one number and what JSON does not have is text.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.types import classes, direction, pydantic_texts
from claude_comm.schema.types import msgspec_texts as texts
from claude_comm.schema.types.classes import ClassField, closed_by, code_of, joined, members_of, nodes, tagged
from claude_comm.schema.types.classes_of_pydantic import pydantic_inside
from claude_comm.schema.types.definitions import Definitions
from claude_comm.schema.types.direction import Direction, Schema, makes_missing, of_64_bits, opaque
from claude_comm.schema.types.msgspec_unions import apart, as_decoded, holds_integers, listed, values_of
from claude_comm.schema.types.numerals import INTEGER, between
from claude_comm.schema.types.patterns import Untranslatable, from_python
from claude_comm.schema.types.texts import Text


def msgspec_schema(shape: Any, direction: Direction) -> Schema:
    """Raises SchemaError for a type that msgspec does not know."""
    try:
        info = inspect.type_info(shape)
    except (TypeError, NameError, ValueError, NotImplementedError) as error:
        raise SchemaError(
            f"{shape!r} has no JSON Schema ({error}); give a msgspec Struct, a dataclass, a model or a schema"
        ) from None
    if (inner := pydantic_inside(info)) is not None:
        raise _read_apart(inner, shape)
    walk = _TypeWalk(direction, forms=direction == "accepts" and reads_forms(shape))
    return walk.definitions.whole(walk.schema(info))


def _read_apart(inner: Any, shape: Any) -> SchemaError:
    return SchemaError(
        f"{_name(inner)!r} is a class of pydantic, and in {_name(shape)!r}, which msgspec reads, its aliases, bounds "
        f"and validators say nothing: make {_name(shape)!r} a pydantic model, or {_name(inner)!r} a plain dataclass"
    )


def reads_forms(shape: Any) -> bool:
    """Whether its JSON form is not what msgspec reads of MessagePack: bytes as text, and keys that are no text."""
    return any(
        isinstance(node, _BYTES) or (isinstance(node, inspect.DictType) and not isinstance(node.key_type, _TEXT_KEYS))
        for node in nodes(inspect.type_info(shape))
    )


class _TypeWalk:
    def __init__(self, direction: Direction, *, forms: bool = False) -> None:
        self.accepts = direction == "accepts"
        # Whether the decoder is handed values, and no bytes, which a `Raw` would be.
        self.forms = forms
        # Whether a value must have a hash, as one in a set must.
        self.hashed = False
        self.definitions = Definitions()

    def schema(self, node: Any) -> Schema:
        rule = _RULES.get(type(node))
        if rule is None:
            name = getattr(node, "cls", node)
            raise SchemaError(f"{name!r} has no JSON Schema: msgspec knows no such type; give a schema instead")
        if self.hashed and classes.has_no_hash(node):
            return _hashable(self) if isinstance(node, inspect.AnyType) else {"not": {}}
        return rule(self, node)

    def where(self, schema: Callable[[], Schema], *, hashed: bool) -> Schema:
        before, self.hashed = self.hashed, hashed
        try:
            return schema()
        finally:
            self.hashed = before

    def text(self, read: Callable[[], Text], write: Callable[[], Text]) -> Schema:
        return (read() if self.accepts else write()).schema()

    def key(self, node: Any) -> Schema | bool:
        """What the name of a member must be, for a mapping with keys of this type."""
        rule = _KEYS.get(type(node))
        if rule is not None:
            return rule(self, node)
        return self.schema(node) if isinstance(node, _TEXTS) else False


_Rule: TypeAlias = Callable[[_TypeWalk, Any], Schema]


def _bounds(node: inspect.IntType | inspect.FloatType) -> Schema:
    said = {"minimum": node.ge, "exclusiveMinimum": node.gt, "maximum": node.le, "exclusiveMaximum": node.lt}
    return {keyword: limit for keyword, limit in said.items() if limit is not None}


def _int(walk: _TypeWalk, node: inspect.IntType) -> Schema:
    step = {} if node.multiple_of is None else {"multipleOf": node.multiple_of}
    schema = {"type": "integer", **_bounds(node), **step}
    return schema if walk.accepts else of_64_bits(schema)


def _float(walk: _TypeWalk, node: inspect.FloatType) -> Schema:
    schema = direction.with_far_bounds({"type": "number", **_bounds(node)}, accepts=walk.accepts)
    step = node.multiple_of
    if step is None:
        return schema
    if (near := direction.exact_multiples(step)) is not None:
        multiple = {**schema, "multipleOf": step}
        if not walk.accepts or step == 1:
            return multiple
        return {"anyOf": [{"allOf": [multiple, near]}, opaque({**schema, "not": near}, f"multiple_of={step}")]}
    # msgspec divides the binary values: 0.3 is not a multiple of 0.1.
    return opaque(schema, f"multiple_of={node.multiple_of}") if walk.accepts else schema


def _str(walk: _TypeWalk, node: inspect.StrType) -> Schema:
    schema: Schema = {"type": "string", **_sizes(node, "Length")}
    if node.pattern is None:
        return schema
    try:
        return {**schema, "pattern": from_python(node.pattern)}
    except Untranslatable as error:
        return opaque(schema, f"the pattern {node.pattern} ({error})") if walk.accepts else schema


def _sizes(node: Any, of: str) -> Schema:
    said = {f"min{of}": node.min_length, f"max{of}": node.max_length}
    return {keyword: size for keyword, size in said.items() if size is not None}


def _bytes(walk: _TypeWalk, node: inspect.BytesType) -> Schema:
    sizes = node.min_length, node.max_length
    return walk.text(lambda: texts.read_base64(*sizes), lambda: texts.write_base64(*sizes))


def _decimal(walk: _TypeWalk, _node: inspect.DecimalType) -> Schema:
    if walk.accepts:
        # A signalling NaN has no hash.
        return {"anyOf": [{"type": "number"}, texts.read_decimal(signalling=not walk.hashed).schema()]}
    return texts.write_decimal().schema()


def _array(walk: _TypeWalk, node: Any) -> Schema:
    return {"type": "array", "items": walk.schema(node.item_type), **_sizes(node, "Items")}


def _set(walk: _TypeWalk, node: Any) -> Schema:
    """Of what is read, the same item may come twice, and each must have a hash."""
    if not walk.accepts:
        return {**_array(walk, node), "uniqueItems": True}
    return walk.where(lambda: _array(walk, node), hashed=True)


def _hashable(walk: _TypeWalk) -> Schema:
    """A value without objects in it: arrays become tuples."""

    def schema() -> Schema:
        return {
            "type": ["null", "boolean", "number", "string", "array"],
            "items": walk.definitions.refer(_hashable, "hashable", schema),
        }

    return walk.definitions.refer(_hashable, "hashable", schema)


def _tuple(walk: _TypeWalk, node: inspect.TupleType) -> Schema:
    count = len(node.item_types)
    items = {"prefixItems": [walk.schema(item) for item in node.item_types]} if count else {}
    return {"type": "array", **items, "minItems": count, "maxItems": count}


def _dict(walk: _TypeWalk, node: inspect.DictType) -> Schema:
    schema: Schema = {"type": "object"}
    names = walk.key(node.key_type)
    if names not in ({}, {"type": "string"}):
        schema["propertyNames"] = names
    return {**schema, "additionalProperties": walk.schema(node.value_type), **_sizes(node, "Properties")}


def _int_key(walk: _TypeWalk, node: inspect.IntType) -> Schema:
    low = node.ge if node.ge is not None else None if node.gt is None else node.gt + 1
    high = node.le if node.le is not None else None if node.lt is None else node.lt - 1
    schema = walk.text(lambda: Text(between(low, high)), lambda: pydantic_texts.write_int(low, high))
    if node.multiple_of is None or not walk.accepts:
        return schema
    return opaque(schema, f"multiple_of={node.multiple_of} of a key")


def _float_key(walk: _TypeWalk, node: inspect.FloatType) -> Schema:
    if not walk.accepts:
        return texts.write_float_key().schema()
    sure, every = texts.read_float_key()
    schema = {"anyOf": [sure.schema(), opaque(every.schema(), "the range of a float")]}
    return opaque(schema, "a bound of a key") if _bounds(node) or node.multiple_of else schema


def _decimal_key(walk: _TypeWalk, _node: inspect.DecimalType) -> Schema:
    # A signalling NaN has no hash.
    return walk.text(lambda: texts.read_decimal(signalling=False), texts.write_decimal)


def _listed_key(walk: _TypeWalk, node: Any) -> Schema:
    """Names of an enumeration or a literal, numbers as their numerals."""
    values = listed(node)
    numbers = [value for value in values if isinstance(value, int)]
    words = [value for value in values if isinstance(value, str)]
    if walk.accepts and numbers:
        words = [word for word in words if not texts.reads_as_number(word)] + ["-0"] * (0 in numbers)
    return {"enum": [*map(str, numbers), *words]}


def _union_key(walk: _TypeWalk, node: inspect.UnionType) -> Schema | bool:
    """Of what is read: a text where any text is taken, else a number where it reads as one."""
    plain = [option.type if isinstance(option, inspect.Metadata) else option for option in node.types]
    options = as_decoded(plain) if walk.accepts else plain
    whole = any(holds_integers(option) for option in options)
    keys = [walk.key(option) for option in options]
    if not walk.accepts or not (whole or any(isinstance(option, inspect.FloatType) for option in options)):
        return {"anyOf": keys}
    for option, key in zip(options, keys, strict=True):
        if isinstance(option, inspect.StrType):
            return key
        if isinstance(option, inspect.DecimalType):
            return opaque({"anyOf": keys}, "a key that is a number or a decimal")
    return {"anyOf": [_no_number(key, option, whole) for option, key in zip(options, keys, strict=True)]}


def _no_number(key: Schema | bool, option: Any, whole: bool) -> Schema | bool:
    """A key beside numbers, of which those that stand for themselves are looked for first, then the `whole` ones."""
    if holds_integers(option) or (isinstance(option, inspect.FloatType) and not whole):
        return key
    taken = INTEGER if isinstance(option, inspect.FloatType) else texts.NUMBER
    return {"allOf": [key, {"not": {"pattern": f"^(?:{taken})$"}}]}


def _enum(walk: _TypeWalk, node: inspect.EnumType) -> Schema:
    if issubclass(node.cls, enum.Flag):
        return opaque({"type": "integer"}, node.cls.__name__) if walk.accepts else {"type": "integer"}
    schema: Schema = {"title": node.cls.__name__, "enum": values_of(node.cls)}
    if walk.accepts and makes_missing(node.cls):
        return opaque({}, f"{node.cls.__name__}._missing_")
    return schema


def _literal(_walk: _TypeWalk, node: inspect.LiteralType) -> Schema:
    return {"enum": list(node.values)}


def _union(walk: _TypeWalk, node: inspect.UnionType) -> Schema:
    # A Struct alone among other kinds is known without its tag.
    tells = sum(isinstance(option, inspect.StructType) for option in node.types) > 1
    if not walk.accepts:
        return {"anyOf": [_option(walk, option, tells) for option in node.types]}
    options = [(option, _option(walk, option, tells)) for option in as_decoded(node.types)]
    return {"anyOf": [schema for option in options for schema in apart(*option, options)]}


def _option(walk: _TypeWalk, node: Any, tells: bool) -> Schema:
    """One type of a union: one of several Structs tells its tag."""
    told = isinstance(node, inspect.StructType) and not (walk.hashed and classes.has_no_hash(node))
    return _object(walk, node, tells=tells) if told else walk.schema(node)


def _object(walk: _TypeWalk, node: Any, *, tells: bool = False) -> Schema:
    tells = bool(tagged(node)) and (tells or not walk.accepts)
    hashed = walk.hashed and classes.hashes_fields(node)
    described = partial(walk.where, lambda: _described(walk, node, tells), hashed=hashed)
    return walk.definitions.refer((node.cls, tells, hashed), _name(node.cls), described)


def _described(walk: _TypeWalk, node: Any, tells: bool) -> Schema:
    members = members_of(node, hashed=walk.hashed)
    schema = _positions(walk, node, members) if joined(node) else _properties(walk, node, members, tells)
    code = code_of(node.cls) if walk.accepts else None
    if walk.hashed and isinstance(node, inspect.DataclassType) and inspect.AnyType in map(type, nodes(node)):
        code = f"the hash of {_name(node.cls)}"  # whose lists are no tuples, as those of a Struct in a set are
    return opaque(schema, code) if code else schema


def _properties(walk: _TypeWalk, node: Any, members: list[ClassField], tells: bool) -> Schema:
    schema: Schema = {"title": _name(node.cls), "type": "object"}
    properties: Schema = {}
    tag = tagged(node)
    if tag:
        properties[tag] = {"enum": [node.tag]}
    for member in members:
        properties[member.name] = _with_default(walk, walk.schema(member.type), member)
    required = [member.name for member in members if (member.needed if walk.accepts else member.written)]
    if tells:
        required = [tag, *required]
    if properties or not walk.accepts:
        # A class without fields sends none: an object that names none would be left open.
        schema["properties"] = properties
    if required:
        schema["required"] = required
    if walk.accepts and closed_by(node):
        schema["additionalProperties"] = False
    return schema


def _positions(walk: _TypeWalk, node: Any, members: list[ClassField]) -> Schema:
    items = [walk.schema(member.type) for member in members]
    # A field with a default may stand before one without, where all are given by name.
    needed = [at for at, member in enumerate(members, 1) if member.needed or not walk.accepts]
    least = max(needed, default=0)
    tag = getattr(node, "tag", None)
    if tag is not None:
        items, least = [{"enum": [tag]}, *items], least + 1
    schema: Schema = {"title": _name(node.cls), "type": "array"}
    if items:
        schema["prefixItems"] = items
    if least:
        schema["minItems"] = least
    if closed_by(node) or not walk.accepts:
        schema["maxItems"] = len(items)
    return schema


def _with_default(walk: _TypeWalk, schema: Schema, member: ClassField) -> Schema:
    """What an adapter may fill in where the member is missing."""
    if not walk.accepts or not member.defaulted:
        return schema
    try:
        return {**schema, "default": msgspec.to_builtins(member.default, str_keys=True)}
    except (TypeError, ValueError):
        return schema


def _name(cls: Any) -> str:
    return getattr(cls, "__name__", str(cls).rpartition(".")[2])


def _metadata(walk: _TypeWalk, node: inspect.Metadata) -> Schema:
    """What the author adds: notes beside the type's own words, and rules in addition to them."""
    schema, extra = walk.schema(node.type), node.extra_json_schema or {}
    notes = {keyword: value for keyword, value in extra.items() if keyword in keywords.NOTES}
    rules = {keyword: value for keyword, value in extra.items() if keyword not in keywords.NOTES}
    noted = {**schema, **notes}
    return {**noted, "allOf": [*noted.get("allOf", ()), rules]} if rules else noted


_BYTES = inspect.BytesType, inspect.ByteArrayType, inspect.MemoryViewType
_TEXT_KEYS = (
    *(inspect.StrType, inspect.AnyType, inspect.DateType, inspect.DateTimeType, inspect.TimeType),
    *(inspect.TimeDeltaType, inspect.UUIDType),
)
_TEXTS = (
    # A bytearray has no hash.
    *(inspect.StrType, inspect.BytesType, inspect.MemoryViewType, inspect.DateType),
    *(inspect.DateTimeType, inspect.TimeType, inspect.TimeDeltaType, inspect.UUIDType),
)
_KEYS: dict[type, Callable[[_TypeWalk, Any], Schema | bool]] = {
    inspect.AnyType: lambda _walk, _node: {},
    inspect.CustomType: lambda _walk, node: {} if node.cls is object else False,
    inspect.IntType: _int_key,
    inspect.FloatType: _float_key,
    inspect.DecimalType: _decimal_key,
    inspect.EnumType: _listed_key,
    inspect.LiteralType: _listed_key,
    inspect.UnionType: _union_key,
    inspect.Metadata: lambda walk, node: walk.key(node.type),
}
_RULES: dict[type, _Rule] = {
    inspect.AnyType: lambda _walk, _node: {},
    inspect.RawType: lambda walk, _node: opaque({}, "Raw beside bytes or keys") if walk.forms else {},
    inspect.NoneType: lambda _walk, _node: {"type": "null"},
    inspect.BoolType: lambda _walk, _node: {"type": "boolean"},
    inspect.IntType: _int,
    inspect.FloatType: _float,
    inspect.StrType: _str,
    **dict.fromkeys(_BYTES, _bytes),
    inspect.DateType: lambda walk, _node: walk.text(texts.read_date, texts.write_date),
    inspect.TimeType: lambda walk, node: walk.text(lambda: texts.read_time(node.tz), lambda: texts.write_time(node.tz)),
    inspect.DateTimeType: lambda walk, node: walk.text(
        lambda: texts.read_datetime(node.tz), lambda: texts.write_datetime(node.tz)
    ),
    inspect.TimeDeltaType: lambda walk, _node: walk.text(texts.read_duration, texts.write_duration),
    inspect.UUIDType: lambda walk, _node: walk.text(texts.read_uuid, texts.write_uuid),
    inspect.DecimalType: _decimal,
    **dict.fromkeys((inspect.ListType, inspect.VarTupleType), _array),
    **dict.fromkeys((inspect.SetType, inspect.FrozenSetType), _set),
    inspect.TupleType: _tuple,
    inspect.DictType: _dict,
    inspect.EnumType: _enum,
    inspect.LiteralType: _literal,
    inspect.UnionType: _union,
    **dict.fromkeys(
        (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType), _object
    ),
    inspect.Metadata: _metadata,
}

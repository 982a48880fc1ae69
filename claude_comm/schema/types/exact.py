"""Exact schemas of Python types: the front door of this package.

Law: `accepts` and `produces` are the only two schemas of a type, and each is held to its decoder or encoder by the
tests, pair by pair. A JSON Schema that is given as a mapping stands for itself, both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_comm.json_form import is_pydantic
from claude_comm.schema.keywords import UNEVALUATED
from claude_comm.schema.opaque import code_in
from claude_comm.schema.types import msgspec_types, pydantic_types
from claude_comm.schema.types.direction import Direction, Schema


def accepts(shape: Any) -> Schema:
    """What a decoder of this type takes. Raises SchemaError for a type that has no schema."""
    return _of(shape, "accepts")


def produces(shape: Any) -> Schema:
    """What an encoder writes of a value of this type. Raises SchemaError for a type that has no schema."""
    return _of(shape, "produces")


def beside(schema: Schema | bool, shape: Any) -> Schema | bool:
    """What is accepted where a schema is written beside a type: what both take.

    Where the type leaves something to code, the schema is its author's word on that, and stands alone; so it does in
    another dialect than that of types, and where it says what nothing beside it has looked at.
    Raises SchemaError for a type that has no schema.
    """
    if is_schema(shape) or shape in (Any, object) or schema is False:
        return schema
    own = accepts(shape)
    if code_in(own) is not None:
        return schema
    if schema is True:
        return own
    named, inner = schema.get("$defs", {}), own.pop("$defs", {})
    if "$schema" in schema or UNEVALUATED & schema.keys() or not named.keys().isdisjoint(inner):
        return schema
    both = {**schema, "allOf": [*schema.get("allOf", ()), own]}
    return {**both, "$defs": {**named, **inner}} if inner else both


def is_schema(shape: Any) -> bool:
    """Whether this is a JSON Schema, and no type."""
    return isinstance(shape, Mapping | bool)


def reads_forms(shape: Any) -> bool:
    """Whether a JSON form may have text where MessagePack has bytes, or numbers as keys: msgspec reads them apart."""
    return not is_pydantic(shape) and msgspec_types.reads_forms(shape)


def _of(shape: Any, direction: Direction) -> Schema:
    if is_pydantic(shape):
        return pydantic_types.pydantic_schema(pydantic_types.core_schema(shape), direction)
    return {} if shape is object else msgspec_types.msgspec_schema(shape, direction)

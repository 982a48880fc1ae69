"""What pydantic's validators and serialisers that are functions read and write.

Law: functions of pydantic's own types are known by name; any other validator is opaque, and any other serialiser that
declares no type writes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from claude_comm.schema.types import pydantic_texts
from claude_comm.schema.types.direction import Schema, opaque
from claude_comm.schema.types.pydantic_nodes import Core, Mode, any_of
from claude_comm.schema.types.pydantic_walk import PydanticWalk
from claude_comm.schema.types.texts import Text


def serialized(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """What a serialiser writes: as it declares, as a type of pydantic's own is known to, or anything."""
    how = node["serialization"]
    unserialized = {key: value for key, value in node.items() if key != "serialization"}
    sometimes = (
        how.get("when_used", "always") in ("json-unless-none", "unless-none") and unserialized["type"] in _MAY_BE_NONE
    )
    listed = _enumeration_in(unserialized)
    if listed is not None and (how["type"] in _AS_IT_IS or is_own(how.get("function"))):
        return walk.schema(listed, mode)
    if how["type"] == "any":
        return _any_subclass(walk, unserialized, mode)
    if how.get("return_schema") is not None:
        schema = walk.schema(how["return_schema"], mode)
    elif how["type"] in ("to-string", "format"):
        schema = {"type": "string"}
    elif how.get("is_field_serializer") or not is_own(how.get("function")):
        return {}
    elif how["type"] == "function-wrap":
        schema = walk.schema(unserialized, mode)
    else:
        address = _address_of(node.get("lax_schema", node))
        schema = address[0]().schema() if address else {"type": "string"}
    return any_of(schema, {"type": "null"}) if sometimes else schema


_MAY_BE_NONE = frozenset(("any", "none", "nullable", "default", "union", "definition-ref"))
# Serialisers that write an enumeration's values.
_AS_IT_IS = frozenset(("int", "str", "float"))


def _enumeration_in(node: Core) -> Core | None:
    """The enumeration whose values a node stands for: pydantic takes them out of their members (`use_enum_values`)."""
    while node["type"] == "function-after" and repr(node["function"]["function"]) == _TAKES_VALUE:
        node = node["schema"]
    return node if node["type"] == "enum" else None


_TAKES_VALUE = "operator.attrgetter('value')"


def _any_subclass(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """What is written of whatever stands there (`SerializeAsAny`): of a model the fields, and those of a subclass."""
    target = walk.referred.get(node["schema_ref"], {}) if node["type"] == "definition-ref" else node
    if target.get("type") != "model" or target.get("root_model") or target["schema"]["type"] != "model-fields":
        return {}
    inner = msgspec.structs.replace(mode, config=target.get("config", {}))
    return walk.definitions.refer(
        (target.get("ref", target["cls"]), "or a subclass"),
        target["cls"].__name__,
        lambda: {**walk.schema(target["schema"], inner), "additionalProperties": {}},
    )


def is_own(function: Any) -> bool:
    """Whether a function belongs to pydantic itself."""
    function = getattr(function, "func", function)
    return str(getattr(function, "__module__", "")).partition(".")[0] == "pydantic"


# Of pydantic's own functions, those that take whatever their schema takes.
_HARMLESS = frozenset(("path_validator", "sequence_validator", "defaultdict_validator"))


def before(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    if not mode.accepts:
        return walk.schema(node["schema"], mode)
    return opaque({}, getattr(node["function"]["function"], "__qualname__", "a validator"))


def after(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    function = node["function"]["function"]
    function = getattr(function, "func", function)
    name = getattr(function, "__qualname__", repr(function))
    if not mode.accepts or _enumeration_in(node) is not None:
        return walk.schema(node["schema"], mode)
    if is_own(function) and (name.rpartition(".")[2] in _HARMLESS or name.startswith("Secret")):
        return walk.schema(node["schema"], mode)
    address = _ADDRESSES.get(name)
    if address is not None and getattr(function, "__module__", "") == "ipaddress":
        return address[0]().schema()
    return opaque(walk.schema(node["schema"], mode), name)


def wrap(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    function = node["function"]["function"]
    name = getattr(getattr(function, "func", function), "__qualname__", repr(function))
    if not mode.accepts:
        return walk.schema(node["schema"], mode)
    if is_own(function) and name.rpartition(".")[2] in _HARMLESS:
        schema = walk.schema(node["schema"], mode)
        return opaque(schema, f"{name}, which hands on values of Python,") if _is_strict(node) else schema
    return opaque({}, name)


def _is_strict(part: Any) -> bool:
    """Whether something within is strict by itself: it reads less of Python's values than of JSON's."""
    if isinstance(part, Mapping):
        return part.get("strict") is True or any(map(_is_strict, part.values()))
    return isinstance(part, list | tuple) and any(map(_is_strict, part))


def plain(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    function = node["function"]["function"]
    if not mode.accepts:
        return {}
    address = _address_of(node)
    if address is None:
        return opaque({}, getattr(function, "__qualname__", repr(function)))
    text, bits = address
    number = {"type": "integer", "minimum": 0, "maximum": 2**bits - 1}
    return any_of(text().schema(), number, {"type": "boolean"})


def _address_of(node: Core) -> tuple[Callable[[], Text], int] | None:
    """The texts of an IP address, and its bits, where a node reads one by pydantic's own function."""
    function = node.get("function")
    called = function.get("function") if isinstance(function, Mapping) else None
    known = {"ip_v4_address_validator": "IPv4Address", "ip_v6_address_validator": "IPv6Address"}
    name = known.get(getattr(called, "__name__", ""))
    return _ADDRESSES[name] if name and is_own(called) else None


_ADDRESSES: dict[str, tuple[Callable[[], Text], int]] = {
    "IPv4Address": (pydantic_texts.read_ipv4, 32),
    "IPv6Address": (pydantic_texts.read_ipv6, 128),
}

"""The fields of pydantic's models, dataclasses, typed dicts and named tuples, as members of objects.

Law: read are the names and aliases that the settings of the model allow, written the one that `by_alias=True` writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from claude_comm.schema.types.direction import Schema, opaque
from claude_comm.schema.types.pydantic_functions import is_own
from claude_comm.schema.types.pydantic_nodes import Core, Mode, any_of
from claude_comm.schema.types.pydantic_walk import PydanticWalk


def model(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    cls, config = node["cls"], node.get("config", {})
    inner = msgspec.structs.replace(mode, config=config, strict=config.get("strict", False))

    def schema() -> Schema:
        members = walk.schema(node["schema"], inner)
        members = members if node.get("root_model") or "$ref" in members else {"title": cls.__name__, **members}
        code = _code_of(node) if mode.accepts else None
        if mode.accepts and node.get("slots") and "extra_fields_behavior" in mode.config:
            # There is no place for what is no field.
            members = opaque(members, f"a further member of {cls.__name__}")
        return opaque(members, f"{cls.__name__}.{code}") if code else members

    return walk.definitions.refer((node.get("ref", cls), inner.strict), cls.__name__, schema)


def _code_of(node: Core) -> str | None:
    if node.get("custom_init"):
        return "__init__"
    after = node.get("post_init")
    if isinstance(after, str) and is_own(getattr(node["cls"], after, None)):
        # It gives private attributes their defaults.
        return None
    return (after if isinstance(after, str) else "__post_init__") if after else None


def fields(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    named = node["fields"]
    pairs = list(named.items()) if isinstance(named, Mapping) else [(field["name"], field) for field in named]
    further = node.get("extra_behavior") or mode.config.get("extra_fields_behavior", "ignore")
    if mode.accepts:
        return _read_fields(walk, pairs, node, mode, further)
    return _written_fields(walk, pairs, node, mode, further)


def _read_fields(walk: PydanticWalk, pairs: Iterable[tuple[str, Core]], node: Core, mode: Mode, further: str) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    either: list[Schema] = []
    hidden = False
    extras = _extras(walk, node, mode, further)
    for name, field in pairs:
        if field.get("init") is False or field.get("frozen_init"):
            continue
        schema = _with_default(field, walk.schema(field["schema"], mode))
        names = _names(name, field, mode)
        needed = field.get("required", not _is_given(field["schema"]))
        hidden = hidden or names is None
        if names is None or len(names) > 1:
            if further != "ignore":
                properties |= dict.fromkeys(names or [*_heads(field), *_own_name(name, mode)], True)
            either.append(_one_of_names(names or [], schema, needed, extras))
            continue
        # Two fields may look for one name.
        other = properties.get(names[0])
        properties[names[0]] = schema if other in (None, True) else {"allOf": [other, schema]}
        if needed and names[0] not in required:
            required.append(names[0])
    whole: Schema = {"type": "object"}
    if properties:
        whole["properties"] = properties
    if required:
        whole["required"] = required
    if either:
        whole["allOf"] = either
    if extras is not True:
        whole["additionalProperties"] = extras
    return opaque(whole, "an alias that is a path") if hidden else whole


def _extras(walk: PydanticWalk, node: Core, mode: Mode, further: str) -> Schema | bool:
    """What a member that no field takes must be."""
    if further == "allow" and "extras_schema" in node:
        return walk.schema(node["extras_schema"], mode)
    return further != "forbid"


def _heads(field: Core) -> list[str]:
    """The members that the paths of an alias begin with."""
    alias = field["validation_alias"]
    paths = alias if isinstance(alias[0], list) else [alias]
    return [path[0] for path in paths if isinstance(path[0], str)]


def _names(name: str, field: Core, mode: Mode) -> list[str] | None:
    """The names under which a field is looked for, the first that is there counts; None where one is a path."""
    alias = field.get("validation_alias")
    if alias is None:
        return [name]
    paths = [[alias]] if isinstance(alias, str) else alias if alias and isinstance(alias[0], list) else [alias]
    if not all(len(path) == 1 and isinstance(path[0], str) for path in paths):
        return None
    by_alias = mode.config.get("validate_by_alias", True)
    aliases = [path[0] for path in paths] if by_alias else []
    return list(dict.fromkeys([*aliases, *_own_name(name, mode)]))


def _own_name(name: str, mode: Mode) -> list[str]:
    """The name of a field that has an alias, where it is looked for as well."""
    return [name] if mode.config.get("validate_by_name") or mode.config.get("populate_by_name") else []


def _one_of_names(names: list[str], schema: Schema, needed: bool, extras: Schema | bool) -> Schema:
    """The member of the first of these names that is there; those of the others are further ones."""
    choice: Schema = {"required": [names[-1]]} if needed and names else {}
    rest = {} if extras is True else dict.fromkeys(names, extras)
    for name in reversed(names):
        choice = {"if": {"required": [name]}, "then": {"properties": {**rest, name: schema}}, "else": choice}
    return choice


def _is_given(node: Core) -> bool:
    """Whether something stands for a value that is not there."""
    return node["type"] == "default" and ("default" in node or "default_factory" in node)


def _with_default(field: Core, schema: Schema) -> Schema:
    inner = field["schema"]
    if inner["type"] != "default" or "default" not in inner:
        return schema
    try:
        return {**schema, "default": msgspec.to_builtins(inner["default"], str_keys=True)}
    except (TypeError, ValueError):
        return schema


def _written_fields(
    walk: PydanticWalk, pairs: Iterable[tuple[str, Core]], node: Core, mode: Mode, further: str
) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    for name, field in pairs:
        if field.get("serialization_exclude") or field.get("init_only"):
            continue
        written = field.get("serialization_alias", name)
        properties[written] = walk.schema(field["schema"], mode)
        if field.get("required", True) and "serialization_exclude_if" not in field:
            required.append(written)
    for computed in node.get("computed_fields", ()):
        written = computed.get("alias", computed["property_name"])
        properties[written] = walk.schema(computed["return_schema"], mode)
        required.append(written)
    if further == "allow":
        # A further member may have the name under which a field is written, where it is read under others.
        read = {other for name, field in pairs for other in (_names(name, field, mode) or ())}
        properties |= {written: {} for written in properties if written not in read}
    # A model without fields sends none: an object that names none would be left open.
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(dict.fromkeys(required))
    if further == "allow":
        schema["additionalProperties"] = walk.schema(node["extras_schema"], mode) if "extras_schema" in node else {}
    return schema


def typed_dict(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    config = {**mode.config, **node.get("config", {})}
    inner = msgspec.structs.replace(mode, config=config, strict=config.get("strict", mode.strict))
    cls = node.get("cls")
    if cls is None:
        return fields(walk, node, inner)
    return walk.definitions.refer((node.get("ref", cls), inner.strict), cls.__name__, lambda: fields(walk, node, inner))


def named_tuple(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """Read from an array or from an object, written as an array."""
    listed = node["fields"]
    items = [walk.schema(field["schema"], mode) for field in listed]
    needed = [field["name"] for field in listed if not _is_given(field["schema"])]
    least = len(needed) if mode.accepts else len(items)
    array: Schema = {"type": "array", "prefixItems": items, "minItems": least, "maxItems": len(items)}
    if not mode.accepts:
        return array
    names = {field["name"]: _names(field["name"], field, mode) or [] for field in listed}
    if any(len(known) != 1 for known in names.values()):
        return any_of(array, opaque({"type": "object"}, "an alias in a named tuple"))
    members = {names[field["name"]][0]: item for field, item in zip(listed, items, strict=True)}
    required = [names[name][0] for name in needed]
    named = {"type": "object", "properties": members, "required": required, "additionalProperties": False}
    return any_of(array, named)

"""Lists, sets and mappings as pydantic reads them: how many items are left, and which may stand in a set.

Law: as in `direction`. Counted are the items of a set and the keys of a mapping that differ once they are read; an item
of a set that has no hash is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from claude_comm.schema.types.direction import Schema, opaque
from claude_comm.schema.types.pydantic_functions import is_own
from claude_comm.schema.types.pydantic_nodes import Core, Mode, any_of
from claude_comm.schema.types.pydantic_scalars import SCALARS
from claude_comm.schema.types.pydantic_walk import PydanticWalk


def sizes(node: Core, of: str) -> Schema:
    return {f"{end}{of}": node[f"{end}_length"] for end in ("min", "max") if node.get(f"{end}_length") is not None}


def array_of(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    items = walk.schema(node["items_schema"], mode) if "items_schema" in node else {}
    return {"type": "array", "items": items, **sizes(node, "Items")}


def set_of(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    schema = array_of(walk, node, mode)
    if not mode.accepts:
        return {**schema, "uniqueItems": True}
    items = node.get("items_schema", {"type": "any"})
    if items["type"] == "any":
        schema["items"] = {"type": ["null", "boolean", "number", "string"]}
    elif (hashes := has_hash(walk, items)) is not True:
        schema["items"] = (
            {"not": {}} if hashes is False else opaque(_with_hash(walk, items, mode), "the hash of an item")
        )
    least, most = node.get("min_length") or 0, node.get("max_length")
    if least <= 1 and most is None:
        return schema
    # Counted is what is left of the items when they are one set: never more of them, and as many where they differ.
    every = {**schema, "minItems": min(least, 1)}
    every.pop("maxItems", None)
    if least <= 1:
        return any_of(schema, opaque(every, "a length of a set"))
    apart = _apart(walk, node, mode)
    return any_of(
        *([{**schema, "items": apart, "uniqueItems": True}] if apart else []), opaque(every, "a length of a set")
    )


def _apart(walk: PydanticWalk, node: Core, mode: Mode) -> Schema | None:
    """What is written of the items of a set, where two of them that differ are read as two; else None."""
    items = node["items_schema"]
    if items["type"] not in ("int", "str", "uuid", "date") or _changes_text(items, mode):
        return None
    return walk.schema(items, msgspec.structs.replace(mode, accepts=False))


def mapping_of(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    schema: Schema = {"type": "object"}
    names = walk.key(node["keys_schema"], mode) if "keys_schema" in node else {}
    if names not in ({}, {"type": "string"}):
        schema["propertyNames"] = names
    if "values_schema" in node:
        schema["additionalProperties"] = walk.schema(node["values_schema"], mode)
    whole = {**schema, **sizes(node, "Properties")}
    return _counted(walk, whole, node, mode) if mode.accepts else whole


def _counted(walk: PydanticWalk, schema: Schema, node: Core, mode: Mode) -> Schema:
    """A mapping of so many keys, where two names may be read as one (`1` and `01`)."""
    least, most = schema.get("minProperties", 0), schema.get("maxProperties")
    keys = node.get("keys_schema", {"type": "any"})
    if (least <= 1 and most is None) or _tells_texts_apart(keys, mode):
        return schema
    every = opaque({**schema}, "a length of a mapping")
    every.pop("maxProperties", None)
    if least <= 1:
        return any_of(schema, every)
    if keys["type"] not in ("int", "uuid", "date"):
        return every
    written = walk.key(keys, msgspec.structs.replace(mode, accepts=False))
    return any_of({**schema, "propertyNames": {"allOf": [written, {"not": {"const": "-0"}}]}}, every)


def _tells_texts_apart(keys: Core, mode: Mode) -> bool:
    """Whether two names are always two keys."""
    if keys["type"] == "any":
        return True
    return keys["type"] == "str" and not _changes_text(keys, mode)


def _changes_text(node: Core, mode: Mode) -> bool:
    names = {"strip_whitespace", "str_strip_whitespace", "to_lower", "to_upper"}
    return bool({**mode.config, **node}.keys() & names or mode.config.keys() & {"str_to_lower", "str_to_upper"})


def has_hash(walk: PydanticWalk, node: Core, depth: int = 0) -> bool | None:
    """Whether what a node reads can be an item of a set: always, never, or, where that is not told, None."""
    kind = node["type"]
    if kind in _NO_HASH or (kind in _CLASSES and node["cls"].__hash__ is None):
        return False
    if kind in SCALARS or kind in _HASH:
        return None if kind == "any" or node.get("allow_inf_nan") else True
    function = node.get("function", {}).get("function")
    if depth > _MOST_DEPTH or (function is not None and not is_own(function)):
        return None
    if kind == "nullable" or node.get("variadic_item_index") is not None:
        # None, or an empty tuple, has one.
        return all(has_hash(walk, part, depth + 1) for part in _parts(walk, node)) or None
    parts = {has_hash(walk, part, depth + 1) for part in _parts(walk, node)}
    if parts == {True}:
        return True
    return False if parts and None not in parts and (True not in parts or kind != "union") else None


def _parts(walk: PydanticWalk, node: Core) -> list[Core]:
    """What the hash of a node's value depends on; nothing where that is not known."""
    kind = node["type"]
    if kind == "definition-ref":
        return [walk.referred[node["schema_ref"]]]
    if kind == "union":
        return [choice[0] if isinstance(choice, tuple) else choice for choice in node["choices"]]
    if kind == "tuple":
        return list(node["items_schema"])
    if kind in ("model-fields", "dataclass-args"):
        named = node["fields"]
        return [field["schema"] for field in (named.values() if isinstance(named, Mapping) else named)]
    return [node[name] for name in ("schema", "json_schema", "lax_schema") if name in node][:1]


def _with_hash(walk: PydanticWalk, node: Core, mode: Mode) -> Schema:
    """What is read of items of which some can be in no set."""
    if node["type"] == "nullable" and has_hash(walk, node["schema"]) is False:
        return {"type": "null"}
    if node["type"] != "union":
        return walk.schema(node, mode)
    return any_of(*(walk.schema(part, mode) for part in _parts(walk, node) if has_hash(walk, part) is not False))


_MOST_DEPTH = 8
_CLASSES = frozenset(("model", "dataclass"))
_NO_HASH = frozenset(("list", "deque", "set", "dict", "ordered-dict", "typed-dict"))
_HASH = frozenset(("frozenset", "is-instance", "url", "multi-host-url"))

"""Exact schemas of pydantic's models, and of every type that holds one.

Law: as in `direction`, for `model_validate_json` and for `model_dump(mode="json", by_alias=True)`. What is walked is
the core schema that pydantic itself has made of the model, so that aliases, modes and settings are those that it
validates by. Validators of pydantic's own types are known by name; any other function is opaque.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.types import msgspec_texts, pydantic_texts
from claude_comm.schema.types.definitions import Definitions
from claude_comm.schema.types.direction import Direction, Schema, opaque
from claude_comm.schema.types.pydantic_scalars import SCALARS, Core, Mode, any_of
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
        mode = mode.within(node)
        if not mode.accepts and "serialization" in node:
            return _serialized(self, node, mode)
        kind = node["type"]
        if kind in SCALARS:
            return SCALARS[kind](node, mode)
        rule = _RULES.get(kind)
        if rule is None:
            return opaque({}, f"pydantic's {kind}") if mode.accepts else {}
        return rule(self, node, mode)

    def key(self, node: Core, mode: Mode) -> Schema:
        """What the name of a member must be."""
        mode = mode.within(node)
        rule = (_KEYS_READ if mode.accepts else _KEYS_WRITTEN).get(node["type"])
        if rule is not None:
            return rule(self, node, mode)
        return opaque({}, f"a key that is a {node['type']}") if mode.accepts else {}


_Rule: TypeAlias = Callable[[_CoreWalk, Core, Mode], Schema]


def _serialized(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    """What a serialiser writes: as it declares, as a type of pydantic's own is known to, or anything."""
    how = node["serialization"]
    plain = {key: value for key, value in node.items() if key != "serialization"}
    sometimes = how.get("when_used", "always") in ("json-unless-none", "unless-none") and plain["type"] in _MAY_BE_NONE
    listed = _enumeration_in(plain)
    if listed is not None and (how["type"] in _AS_IT_IS or _is_own(how.get("function"))):
        return walk.schema(listed, mode)
    if how["type"] == "any":
        return _any_subclass(walk, plain, mode)
    if how.get("return_schema") is not None:
        found = walk.schema(how["return_schema"], mode)
    elif how["type"] in ("to-string", "format"):
        found = {"type": "string"}
    elif how.get("is_field_serializer") or not _is_own(how.get("function")):
        return {}
    elif how["type"] == "function-wrap":
        found = walk.schema(plain, mode)
    else:
        address = _address_of(node.get("lax_schema", node))
        found = address[0]().schema() if address else {"type": "string"}
    return any_of(found, {"type": "null"}) if sometimes else found


_MAY_BE_NONE = frozenset(("any", "none", "nullable", "default", "union", "definition-ref"))
# Serialisers that write an enumeration's values.
_AS_IT_IS = frozenset(("int", "str", "float"))


def _enumeration_in(node: Core) -> Core | None:
    """The enumeration whose values a node stands for: pydantic takes them out of their members (`use_enum_values`)."""
    while node["type"] == "function-after" and repr(node["function"]["function"]) == _TAKES_VALUE:
        node = node["schema"]
    return node if node["type"] == "enum" else None


_TAKES_VALUE = "operator.attrgetter('value')"


def _any_subclass(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
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


def _is_own(function: Any) -> bool:
    """Whether a function belongs to pydantic itself."""
    function = getattr(function, "func", function)
    return str(getattr(function, "__module__", "")).partition(".")[0] == "pydantic"


# Of pydantic's own functions, those that take whatever their schema takes.
_HARMLESS = frozenset(("path_validator", "sequence_validator", "defaultdict_validator"))


def _after(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    function = node["function"]["function"]
    function = getattr(function, "func", function)
    name = getattr(function, "__qualname__", repr(function))
    if not mode.accepts or _enumeration_in(node) is not None:
        return walk.schema(node["schema"], mode)
    if _is_own(function) and (name.rpartition(".")[2] in _HARMLESS or name.startswith("Secret")):
        return walk.schema(node["schema"], mode)
    address = _ADDRESSES.get(name)
    if address is not None and getattr(function, "__module__", "") == "ipaddress":
        return address[0]().schema()
    return opaque(walk.schema(node["schema"], mode), name)


def _wrap(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    function = node["function"]["function"]
    name = getattr(getattr(function, "func", function), "__qualname__", repr(function))
    if not mode.accepts or (_is_own(function) and name.rpartition(".")[2] in _HARMLESS):
        return walk.schema(node["schema"], mode)
    return opaque({}, name)


def _plain(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
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
    return _ADDRESSES[name] if name and _is_own(called) else None


_ADDRESSES: dict[str, tuple[Callable[[], Text], int]] = {
    "IPv4Address": (pydantic_texts.read_ipv4, 32),
    "IPv6Address": (pydantic_texts.read_ipv6, 128),
}


def _nullable(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    return any_of(walk.schema(node["schema"], mode), {"type": "null"})


def _inner(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node["schema"], mode)


def _union(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    choices = (choice[0] if isinstance(choice, tuple) else choice for choice in node["choices"])
    return any_of(*(walk.schema(choice, mode) for choice in choices))


def _tagged(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    name = node["discriminator"]
    if not isinstance(name, str):
        found = any_of(*(walk.schema(choice, mode) for choice in node["choices"].values()))
        return opaque(found, "a discriminator that is a function or a path") if mode.accepts else found
    options = []
    for tag, choice in node["choices"].items():
        tags = {"type": "object", "properties": {name: {"enum": [getattr(tag, "value", tag)]}}, "required": [name]}
        schema = walk.schema(choice, mode)
        options.append({"allOf": [schema, tags]} if mode.accepts else schema)
    return any_of(*options)


def _chain(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    first, *others = node["steps"]
    schema = walk.schema(first, mode)
    return opaque(schema, "a chain of validators") if mode.accepts and others else schema


def _lax_or_strict(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node["strict_schema" if mode.strict else "lax_schema"], mode)


def _json_or_python(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node["json_schema"], mode)


def _never(_walk: _CoreWalk, _node: Core, mode: Mode) -> Schema:
    """An instance of a class: no JSON is one."""
    return {"not": {}} if mode.accepts else {}


def _sizes(node: Core, of: str) -> Schema:
    return {f"{end}{of}": node[f"{end}_length"] for end in ("min", "max") if node.get(f"{end}_length") is not None}


def _list(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    items = walk.schema(node["items_schema"], mode) if "items_schema" in node else {}
    return {"type": "array", "items": items, **_sizes(node, "Items")}


def _set(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    schema = _list(walk, node, mode)
    if not mode.accepts:
        return {**schema, "uniqueItems": True}
    if node.get("items_schema", {"type": "any"})["type"] == "any":
        schema["items"] = {"type": ["null", "boolean", "number", "string"]}
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


def _apart(walk: _CoreWalk, node: Core, mode: Mode) -> Schema | None:
    """What is written of the items of a set, where two of them that differ are read as two; else None."""
    items = node["items_schema"]
    strips = {**mode.config, **items}.keys() & {"strip_whitespace", "str_strip_whitespace", "to_lower", "to_upper"}
    strips |= mode.config.keys() & {"str_to_lower", "str_to_upper"}
    if items["type"] not in ("int", "str", "uuid", "date") or strips:
        return None
    return walk.schema(items, msgspec.structs.replace(mode, accepts=False))


def _tuple(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
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
        found = {"type": "array", "items": any_of(*items), "minItems": len(items) - 1}
        return opaque(found, "a tuple of any length with an end") if mode.accepts else found
    start = {"prefixItems": items[:at], "minItems": at} if at else {}
    return {"type": "array", **start, "items": items[at], **_sizes(node, "Items")}


def _dict(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    schema: Schema = {"type": "object"}
    names = walk.key(node["keys_schema"], mode) if "keys_schema" in node else {}
    if names not in ({}, {"type": "string"}):
        schema["propertyNames"] = names
    if "values_schema" in node:
        schema["additionalProperties"] = walk.schema(node["values_schema"], mode)
    return {**schema, **_sizes(node, "Properties")}


def _model(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    cls, config = node["cls"], node.get("config", {})
    inner = msgspec.structs.replace(mode, config=config, strict=config.get("strict", False))

    def schema() -> Schema:
        found = walk.schema(node["schema"], inner)
        found = found if node.get("root_model") or "$ref" in found else {"title": cls.__name__, **found}
        code = _code_of(node) if mode.accepts else None
        return opaque(found, f"{cls.__name__}.{code}") if code else found

    return walk.definitions.refer((node.get("ref", cls), inner.strict), cls.__name__, schema)


def _code_of(node: Core) -> str | None:
    if node.get("custom_init"):
        return "__init__"
    after = node.get("post_init")
    if isinstance(after, str) and _is_own(getattr(node["cls"], after, None)):
        # It gives private attributes their defaults.
        return None
    return (after if isinstance(after, str) else "__post_init__") if after else None


def _fields(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    named = node["fields"]
    pairs = list(named.items()) if isinstance(named, Mapping) else [(field["name"], field) for field in named]
    further = node.get("extra_behavior") or mode.config.get("extra_fields_behavior", "ignore")
    if mode.accepts:
        return _read_fields(walk, pairs, node, mode, further)
    return _written_fields(walk, pairs, node, mode, further)


def _read_fields(walk: _CoreWalk, pairs: Iterable[tuple[str, Core]], node: Core, mode: Mode, further: str) -> Schema:
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
        needed = field.get("required", field["schema"]["type"] != "default")
        hidden = hidden or names is None
        if names is None or len(names) > 1:
            if further != "ignore":
                properties |= dict.fromkeys(names or _heads(field), True)
            either.append(_one_of_names(names or [], schema, needed, extras))
            continue
        properties[names[0]] = schema
        if needed:
            required.append(names[0])
    found: Schema = {"type": "object"}
    if properties:
        found["properties"] = properties
    if required:
        found["required"] = required
    if either:
        found["allOf"] = either
    if extras is not True:
        found["additionalProperties"] = extras
    return opaque(found, "an alias that is a path") if hidden else found


def _extras(walk: _CoreWalk, node: Core, mode: Mode, further: str) -> Schema | bool:
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
    by_name = mode.config.get("validate_by_name") or mode.config.get("populate_by_name")
    by_alias = mode.config.get("validate_by_alias", True)
    found = [path[0] for path in paths] if by_alias else []
    return [*found, *([name] if by_name and name not in found else [])]


def _one_of_names(names: list[str], schema: Schema, needed: bool, extras: Schema | bool) -> Schema:
    """The member of the first of these names that is there; those of the others are further ones."""
    found: Schema = {"required": [names[-1]]} if needed and names else {}
    rest = {} if extras is True else dict.fromkeys(names, extras)
    for name in reversed(names):
        found = {"if": {"required": [name]}, "then": {"properties": {**rest, name: schema}}, "else": found}
    return found


def _with_default(field: Core, schema: Schema) -> Schema:
    inner = field["schema"]
    if inner["type"] != "default" or "default" not in inner:
        return schema
    try:
        return {**schema, "default": msgspec.to_builtins(inner["default"], str_keys=True)}
    except (TypeError, ValueError):
        return schema


def _written_fields(walk: _CoreWalk, pairs: Iterable[tuple[str, Core]], node: Core, mode: Mode, further: str) -> Schema:
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
    # A model without fields sends none: an object that names none would be left open.
    found: Schema = {"type": "object", "properties": properties}
    if required:
        found["required"] = required
    if further == "allow":
        found["additionalProperties"] = walk.schema(node["extras_schema"], mode) if "extras_schema" in node else {}
    return found


def _typed_dict(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    config = {**mode.config, **node.get("config", {})}
    inner = msgspec.structs.replace(mode, config=config, strict=config.get("strict", mode.strict))
    cls = node.get("cls")
    if cls is None:
        return _fields(walk, node, inner)
    return walk.definitions.refer(
        (node.get("ref", cls), inner.strict), cls.__name__, lambda: _fields(walk, node, inner)
    )


def _named_tuple(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    """Read from an array or from an object, written as an array."""
    fields = node["fields"]
    items = [walk.schema(field["schema"], mode) for field in fields]
    needed = [field["name"] for field in fields if field["schema"]["type"] != "default"]
    least = len(needed) if mode.accepts else len(items)
    array: Schema = {"type": "array", "prefixItems": items, "minItems": least, "maxItems": len(items)}
    if not mode.accepts:
        return array
    members = {field["name"]: item for field, item in zip(fields, items, strict=True)}
    named = {"type": "object", "properties": members, "required": needed, "additionalProperties": False}
    return any_of(array, named)


def _definitions(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    walk.referred |= {definition["ref"]: definition for definition in node["definitions"]}
    return walk.schema(node["schema"], mode)


def _reference(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    target = walk.referred[node["schema_ref"]]
    if target["type"] in ("model", "dataclass", "typed-dict"):
        return walk.schema(target, mode)
    name = node["schema_ref"].partition(":")[0].rpartition(".")[2]
    key = ("definition", node["schema_ref"], mode.strict)
    return walk.definitions.refer(key, name, lambda: walk.schema(target, mode))


def _url(_walk: _CoreWalk, _node: Core, mode: Mode) -> Schema:
    return opaque({"type": "string"}, "pydantic's reading of a URL") if mode.accepts else {"type": "string"}


_RULES: dict[str, _Rule] = {
    "nullable": _nullable,
    **dict.fromkeys(("default", "custom-error"), _inner),
    "union": _union,
    "tagged-union": _tagged,
    "chain": _chain,
    "lax-or-strict": _lax_or_strict,
    "json-or-python": _json_or_python,
    "function-after": _after,
    **dict.fromkeys(("function-wrap",), _wrap),
    "function-before": lambda walk, node, mode: (
        opaque({}, getattr(node["function"]["function"], "__qualname__", "a validator"))
        if mode.accepts
        else walk.schema(node["schema"], mode)
    ),
    "function-plain": _plain,
    **dict.fromkeys(("is-instance", "is-subclass", "callable"), _never),
    **dict.fromkeys(("list", "deque"), _list),
    **dict.fromkeys(("set", "frozenset"), _set),
    "tuple": _tuple,
    **dict.fromkeys(("dict", "ordered-dict"), _dict),
    **dict.fromkeys(("model", "dataclass"), _model),
    **dict.fromkeys(("model-fields", "dataclass-args"), _fields),
    "typed-dict": _typed_dict,
    "named-tuple": _named_tuple,
    "definitions": _definitions,
    "definition-ref": _reference,
    **dict.fromkeys(("url", "multi-host-url"), _url),
}


def _as_scalar(walk: _CoreWalk, node: Core, mode: Mode) -> Schema:
    return walk.schema(node, mode)


def _text(text: Callable[[], Text]) -> _Rule:
    return lambda _walk, _node, _mode: text().schema()


def _number_key(text: Callable[[], Text]) -> _Rule:
    def rule(_walk: _CoreWalk, node: Core, _mode: Mode) -> Schema:
        bounded = any(node.get(name) is not None for name in ("ge", "gt", "le", "lt", "multiple_of"))
        return opaque(text().schema(), "a bound of a key") if bounded else text().schema()

    return rule


_OF_TEXT = ("any", "str", "uuid", "decimal", "date", "datetime", "time", "timedelta", "bytes")
_KEYS_READ: dict[str, _Rule] = {
    **dict.fromkeys(_OF_TEXT, _as_scalar),
    "int": _number_key(pydantic_texts.read_int),
    "float": _number_key(pydantic_texts.read_float),
    "bool": _text(pydantic_texts.read_bool),
    **dict.fromkeys(("literal", "enum"), _as_scalar),
    "nullable": lambda walk, node, mode: walk.key(node["schema"], mode),
    "default": lambda walk, node, mode: walk.key(node["schema"], mode),
    "union": lambda walk, node, mode: any_of(
        *(walk.key(choice[0] if isinstance(choice, tuple) else choice, mode) for choice in node["choices"])
    ),
    "definition-ref": lambda walk, node, mode: walk.key(walk.referred[node["schema_ref"]], mode),
}
_KEYS_WRITTEN: dict[str, _Rule] = {
    **_KEYS_READ,
    "int": _text(pydantic_texts.write_int),
    "float": _text(msgspec_texts.write_float_key),
    "bool": lambda _walk, _node, _mode: {"enum": ["false", "true"]},
    "literal": lambda _walk, node, _mode: {"enum": [str(value) for value in node["expected"]]},
    "enum": lambda _walk, node, _mode: {"enum": [str(member.value) for member in node["members"]]},
}


def core_schema(shape: Any) -> Core:
    """What pydantic has made of a type. Raises SchemaError where it can make nothing of it."""
    # Asked for by types of pydantic alone, which has been imported then.
    import pydantic

    try:
        core: Core = pydantic.TypeAdapter(shape).core_schema
    except (pydantic.errors.PydanticUserError, NameError) as error:
        raise SchemaError(f"pydantic makes no schema of {shape!r}: {str(error).splitlines()[0]}") from None
    return core

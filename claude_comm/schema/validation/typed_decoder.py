"""A schema as a type that msgspec decodes: an answer "yes" at a third of the time of any other.

Law: whatever bytes a typed decoder decodes are a message that the schema allows, in its JSON form: text, numbers, true,
false, null, arrays, and objects whose names are text. What it does not decode may be allowed all the same; a schema
that has no such type has none. A float that is not finite is decoded: whoever sends looks for it.

Theory of operation. Most messages are allowed, so the way to that answer is what costs. To decode MessagePack into
structs is one pass in C over bytes that were to be written anyway: no dict of the JSON form is made and walked. The
type is no larger than the schema and may be smaller (an enumeration without its floats), because a message that
falls out of it is looked at by the validator as any other. A closed object becomes a struct that forbids other fields;
an array becomes a tuple, which can be hashed, so that `uniqueItems` is asked of the struct around it by the size of a
set. JSON has no equal values that Python finds different, and that is the direction that counts.

Worked example: `{"properties": {"kind": {"enum": ["a", 1.5]}, "tags": {"items": {"type": "string"}}},
"additionalProperties": false, "required": ["kind"], ...}` becomes a struct with `kind: Literal["a"]` and
`tags: tuple[str, ...] | UnsetType`. `{"kind": 1.5}` is allowed, and not decoded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union

import msgspec

from claude_comm.schema import keywords
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.verdict import Json

# More types than these take longer to make than they save.
MAX_TYPES = 300
# Bounds up to here are the same as integers and as floats.
_EXACT = 2**53
# What decoded integers are between at any rate.
_LEAST, _MOST = -(2**63), 2**64 - 1

_SAYS_NOTHING = keywords.ANNOTATIONS.union(keywords.DEFINITIONS)
_NUMBERS = {keyword: limit for limit, keyword in keywords.PYTHON_LIMITS.items()}
_OBJECT = frozenset(("type", "properties", "required", "additionalProperties"))
_MAP = frozenset(("type", "additionalProperties", "minProperties", "maxProperties"))
_ARRAY = frozenset(("type", "items", "minItems", "maxItems", "uniqueItems"))


class Decoder(msgspec.Struct, frozen=True):
    """`decode` raises msgspec.ValidationError, or another error of reading, for what is not of the type. `floats`:
    whether it decodes any."""

    decode: Callable[[bytes], Any]
    floats: bool


def typed_decoder(schema: Json, *, closed: bool = True) -> Decoder | None:
    """The decoder of a schema of the default dialect; None where it has none.

    Without `closed` an object that the schema leaves open has one, too: for messages that have no more properties than
    are declared, as producers send them.
    """
    types = _Types(schema, closed=closed)
    try:
        shape = types.whole()
        return Decoder(msgspec.msgpack.Decoder(shape).decode, types.floats)
    # All but the first: what msgspec says of a union that it cannot tell apart, or of a bound that it cannot hold.
    except (_Untyped, TypeError, ValueError, OverflowError, RecursionError, NotImplementedError):
        return None


class _Untyped(Exception):
    """No type is known for a part of the schema."""


class _Shape(msgspec.Struct, frozen=True):
    """A type; whether its values can be hashed, and whether an array among them is to have no value twice."""

    type: Any
    hashable: bool = True
    unique: bool = False


class _Types:
    """The types of the parts of one schema."""

    def __init__(self, root: Json, *, closed: bool) -> None:
        self.floats = False
        self._root, self._made, self._closed = root, 0, closed
        self._defined: dict[str, _Shape] = {}
        # Definitions that are being made: one that comes back to itself has messages of any depth, which are bounded
        # elsewhere.
        self._open: set[str] = set()

    def whole(self) -> Any:
        if isinstance(self._root, dict) and self._root.get("$schema", _DIALECT) != _DIALECT:
            raise _Untyped
        root = self._root
        if isinstance(root, dict):
            root = {keyword: value for keyword, value in root.items() if keyword != "$schema"}
        return _settled(self._of(root)).type

    def _of(self, schema: Json) -> _Shape:
        self._made += 1
        if not isinstance(schema, dict) or self._made > MAX_TYPES:
            raise _Untyped
        says = {keyword: value for keyword, value in schema.items() if keyword not in _SAYS_NOTHING}
        for keyword in ("$ref", *keywords.UNIONS):
            if keyword in says:
                if len(says) > 1:
                    raise _Untyped
                return self._referred(says[keyword]) if keyword == "$ref" else self._union(keyword, says[keyword])
        kinds = says.get("type", [])
        if "enum" in says or "const" in says:
            return _listed(says)
        return self._any_of([self._of_kind(kind, says) for kind in ([kinds] if isinstance(kinds, str) else kinds)])

    def _referred(self, reference: str) -> _Shape:
        name = definition_name(reference)
        definitions = self._root.get("$defs", {})
        # A schema that is no normal form may refer to anything, and writes some names in codes.
        if name == reference or "~" in name or "%" in name or name in self._open or name not in definitions:
            raise _Untyped
        if name not in self._defined:
            self._open.add(name)
            self._defined[name] = self._of(definitions[name])
            self._open.remove(name)
        return self._defined[name]

    def _union(self, keyword: str, branches: Sequence[Json]) -> _Shape:
        """Of `oneOf` only what shows that no two of its branches allow the same value."""
        if keyword == "oneOf":
            kinds = [kind for branch in branches for kind in self._kinds(branch)]
            if len(kinds) != len(set(kinds)):
                raise _Untyped
        return self._any_of([self._of(branch) for branch in branches if branch is not False])

    def _kinds(self, branch: Json) -> set[str]:
        """The kinds of value that a branch may allow."""
        if isinstance(branch, dict) and branch.keys() == {"$ref"}:
            branch = self._root.get("$defs", {}).get(definition_name(branch["$ref"]))
        kinds = branch.get("type") if isinstance(branch, dict) else None
        if kinds is None:
            raise _Untyped
        return {"number" if kind == "integer" else kind for kind in ([kinds] if isinstance(kinds, str) else kinds)}

    def _any_of(self, shapes: Sequence[_Shape]) -> _Shape:
        if not shapes:
            raise _Untyped
        if len(shapes) == 1:
            return shapes[0]
        return _Shape(
            Union[tuple(shape.type for shape in shapes)],  # noqa: UP007  (the members are values here)
            all(shape.hashable for shape in shapes),
            any(shape.unique for shape in shapes),
        )

    def _of_kind(self, kind: str, says: Mapping[str, Json]) -> _Shape:
        about = {keyword: value for keyword, value in says.items() if _about(keyword, kind)}
        if any(_about(keyword, "any") for keyword in says if keyword != "type"):
            raise _Untyped
        match kind:
            case "null":
                return _Shape(None)
            case "boolean":
                return _Shape(bool)
            case "string":
                return _Shape(_bounded(str, about, {"minLength": "min_length", "maxLength": "max_length"}))
            case "integer":
                return _Shape(_integer(about))
            case "number":
                self.floats = True
                return _Shape(_integer(about) | _float(about))
            case "array":
                return self._array(about)
            case _:
                return self._object(about)

    def _array(self, says: Mapping[str, Json]) -> _Shape:
        if not says.keys() <= _ARRAY:
            raise _Untyped
        item = _settled(self._of(says.get("items")))
        unique = says.get("uniqueItems") is True
        if unique and not item.hashable:
            raise _Untyped
        sizes = {keyword: value for keyword, value in says.items() if keyword in ("minItems", "maxItems")}
        array = _bounded(_ARRAYS[item.type, ...], sizes, {"minItems": "min_length", "maxItems": "max_length"})
        return _Shape(array, item.hashable, unique)

    def _object(self, says: Mapping[str, Json]) -> _Shape:
        further = says.get("additionalProperties")
        if not self._closed and further in (None, True) and "properties" in says:
            further = False
        if further is not False:
            return self._map(says, further)
        if not says.keys() <= _OBJECT:
            raise _Untyped
        properties = {name: inner for name, inner in says.get("properties", {}).items() if inner is not False}
        required = set(says.get("required", ()))
        if not required <= properties.keys():
            raise _Untyped
        return self._struct(properties, required)

    def _map(self, says: Mapping[str, Json], further: Json) -> _Shape:
        if not says.keys() <= _MAP:
            raise _Untyped
        value = _settled(self._of(further))
        sizes = {keyword: limit for keyword, limit in says.items() if keyword in ("minProperties", "maxProperties")}
        words = {"minProperties": "min_length", "maxProperties": "max_length"}
        return _Shape(_bounded(_MAPS[str, value.type], sizes, words), hashable=False)

    def _struct(self, properties: Mapping[str, Json], required: set[str]) -> _Shape:
        shapes = {name: self._of(inner) for name, inner in properties.items()}
        # The fields have names of their own: those of a schema may be any text.
        fields: list[Any] = []
        for number, (name, shape) in enumerate(shapes.items()):
            field = msgspec.field(name=name) if name in required else msgspec.field(default=msgspec.UNSET, name=name)
            kind = shape.type if name in required else shape.type | msgspec.UnsetType
            fields.append((f"f{number}", kind, field))
        unique = tuple(f"f{number}" for number, shape in enumerate(shapes.values()) if shape.unique)
        struct = msgspec.defstruct(
            "Message",
            fields,
            namespace={"__post_init__": _refuse_doubles(unique)} if unique else None,
            frozen=True,
            kw_only=True,
            forbid_unknown_fields=True,
            gc=False,
        )
        return _Shape(struct, all(shape.hashable for shape in shapes.values()))


# Types that are made of values: nothing for a type checker.
_ARRAYS: Any = tuple
_MAPS: Any = dict
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _about(keyword: str, kind: str) -> bool:
    """Whether a keyword constrains values of that kind; one that no dialect knows, and one of an older dialect, counts
    as one that constrains any."""
    row = keywords.TABLE.get(keyword)
    if row is None or not row.known_in("draft2020-12"):
        return kind == "any"
    return row.about == ("number" if kind == "integer" else kind)


def _settled(shape: _Shape) -> _Shape:
    """A shape at a place where nobody asks for doubles."""
    if shape.unique:
        raise _Untyped
    return shape


def _refuse_doubles(names: Sequence[str]) -> Callable[[Any], None]:
    """Called by msgspec with each struct that it has decoded."""
    field = operator.attrgetter(names[0])
    # Nearly every struct has one such field: no loop for it.
    further = _refuse_doubles(names[1:]) if len(names) > 1 else None

    def refuse_doubles(struct: Any) -> None:
        value = field(struct)
        # Null, or no such property.
        if value.__class__ is tuple and len(set(value)) != len(value):
            raise ValueError
        if further is not None:
            further(struct)

    return refuse_doubles


def _listed(says: Mapping[str, Json]) -> _Shape:
    """The texts, integers and nulls that are listed."""
    if not says.keys() <= {"enum", "const", "type"} or {"enum", "const"} <= says.keys():
        raise _Untyped
    kinds = says.get("type", list(keywords.TYPES))
    allowed = {kinds} if isinstance(kinds, str) else set(kinds)
    values = says["enum"] if "enum" in says else [says["const"]]
    literals = tuple(value for value in values if (kind := _kind(value)) and not allowed.isdisjoint(kind))
    if not literals:
        raise _Untyped
    return _Shape(Literal[literals])


def _kind(value: Json) -> tuple[str, ...]:
    """The types of a value that can be listed; none of another."""
    if value is None:
        return ("null",)
    if isinstance(value, str):
        return ("string",)
    return ("integer", "number") if type(value) is int else ()


def _integer(says: Mapping[str, Json]) -> Any:
    words: dict[str, Any] = {}
    for keyword, limit in says.items():
        if keyword == "multipleOf" and type(limit) is int:
            words["multiple_of"] = limit
        elif keyword not in _NUMBERS:
            raise _Untyped
        elif not _holds_anyway(keyword, limit):
            rounded = math.floor if keyword in ("maximum", "exclusiveMinimum") else math.ceil
            words[_NUMBERS[keyword]] = _exact(rounded(limit))
    return Annotated[int, msgspec.Meta(**words)] if words else int


def _holds_anyway(keyword: str, limit: Any) -> bool:
    """Whether every integer of a message is within a bound."""
    match keyword:
        case "minimum":
            return bool(limit <= _LEAST)
        case "exclusiveMinimum":
            return bool(limit < _LEAST)
        case "maximum":
            return bool(limit >= _MOST)
        case _:
            return bool(limit > _MOST)


def _float(says: Mapping[str, Json]) -> Any:
    words: dict[str, Any] = {
        _NUMBERS[keyword]: float(_exact(limit)) for keyword, limit in says.items() if keyword in _NUMBERS
    }
    if len(words) < len(says):
        raise _Untyped
    return Annotated[float, msgspec.Meta(**words)] if words else float


def _exact(limit: Any) -> Any:
    if not -_EXACT <= limit <= _EXACT:
        raise _Untyped
    return limit


def _bounded(kind: Any, says: Mapping[str, Json], words: Mapping[str, str]) -> Any:
    """The type with bounds on its size."""
    if not says.keys() <= words.keys():
        raise _Untyped
    bounds: dict[str, Any] = {words[keyword]: int(limit) for keyword, limit in says.items()}
    return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind

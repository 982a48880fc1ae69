"""What msgspec's description of a class leaves open: what its encoder leaves out, what its code may refuse.

Law: nothing here looks at more than the class itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import NODEFAULT, inspect


class ClassField(msgspec.Struct, frozen=True):
    """One field. `needed`: by the decoder; `written`: always, by the encoder."""

    name: str
    type: Any
    needed: bool
    written: bool
    defaulted: bool = False
    default: Any = None


def members_of(node: Any, *, hashed: bool = False) -> list[ClassField]:
    """The fields of a class; where it is `hashed`, a default without a hash does not do."""
    members = _members_of(node)
    if not hashed:
        return members
    return [
        msgspec.structs.replace(member, needed=True)
        if member.defaulted and type(member.default).__hash__ is None
        else member
        for member in members
    ]


def _members_of(node: Any) -> list[ClassField]:
    omits = isinstance(node, inspect.StructType) and _origin(node.cls).__struct_config__.omit_defaults
    private = hasattr(_origin(node.cls), "__attrs_attrs__")
    unset = _unset_fields(_origin(node.cls))
    partial = isinstance(node, inspect.TypedDictType)
    return [
        _member(field, omits=omits, partial=partial, hidden=field.name in unset or (private and field.name[0] == "_"))
        for field in node.fields
    ]


def _unset_fields(cls: Any) -> frozenset[str]:
    """The fields of a dataclass that its `__init__` may leave to the class, where the encoder does not find them."""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    return frozenset(field.name for field in fields if not field.init)


def _member(field: inspect.Field, *, omits: bool, hidden: bool, partial: bool) -> ClassField:
    defaulted = field.default is not NODEFAULT
    made = field.default_factory is not NODEFAULT
    # Neither required nor with a default: it may be UNSET, which is not written.
    may_be_unset = not field.required and not defaulted and not made
    return ClassField(
        name=field.encode_name,
        type=field.type,
        needed=field.required,
        written=not (may_be_unset or (omits and not field.required) or hidden),
        defaulted=(defaulted or _is_plain(field)) and not partial,
        default=field.default if defaulted else field.default_factory() if _is_plain(field) else None,
    )


def _is_plain(field: inspect.Field) -> bool:
    """Whether its default is an empty container, which can be made without running code of others."""
    return field.default_factory in (list, dict, set, tuple, frozenset)


def joined(node: Any) -> bool:
    """Whether it is written as an array."""
    return isinstance(node, inspect.NamedTupleType) or bool(getattr(node, "array_like", False))


def closed_by(node: Any) -> bool:
    """Whether the decoder refuses more than it knows."""
    return isinstance(node, inspect.NamedTupleType) or bool(getattr(node, "forbid_unknown_fields", False))


def tagged(node: Any) -> str:
    """The member that tells a Struct of a union, where it is written as an object."""
    tag = getattr(node, "tag_field", None)
    return tag if tag and not getattr(node, "array_like", False) else ""


def code_of(cls: Any) -> str | None:
    """The Python code of a class that may refuse a value, or change it."""
    cls = _origin(cls)
    for name in ("__post_init__", "__attrs_post_init__", "__attrs_pre_init__"):
        if hasattr(cls, name):
            return f"{cls.__name__}.{name}"
    for attribute in getattr(cls, "__attrs_attrs__", ()):
        if attribute.validator is not None or attribute.converter is not None:
            return f"the validator or converter of {cls.__name__}.{attribute.name}"
    return None


def has_no_hash(node: Any) -> bool:
    """Whether no value of this type can be an item of a set, whatever it holds."""
    return isinstance(node, _UNHASHABLE) or (isinstance(node, _CLASSES) and not _hashes(node))


def hashes_fields(node: Any) -> bool:
    """Whether the hash of a class is that of its fields."""
    cls = _origin(node.cls)
    if isinstance(node, inspect.StructType):
        return bool(cls.__struct_config__.eq)
    return cls.__hash__ is not object.__hash__


def _hashes(node: Any) -> bool:
    cls = _origin(node.cls)
    if isinstance(node, inspect.StructType):
        return bool(cls.__struct_config__.frozen or not cls.__struct_config__.eq)
    return cls.__hash__ is not None


def nodes(root: Any, inside: Callable[[Any], list[Any]] | None = None) -> Iterator[Any]:
    """Every type within a type, each once, itself included; or those that `inside` says of each."""
    seen, ahead = set[int](), [root]
    while ahead:
        node = ahead.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        ahead += inside(node) if inside else [*fields_of(node), *parts_of(node)]


def fields_of(node: Any) -> list[Any]:
    """The types of what an object holds by name."""
    return [field.type for field in getattr(node, "fields", ())]


def parts_of(node: Any) -> list[Any]:
    """The types of what a collection or a union holds."""
    parts = (getattr(node, name, None) for name in ("item_type", "type", "key_type", "value_type"))
    listed = [*getattr(node, "item_types", ()), *getattr(node, "types", ())]
    return [*listed, *(part for part in parts if isinstance(part, inspect.Type))]


_CLASSES = inspect.StructType, inspect.DataclassType, inspect.NamedTupleType
_UNHASHABLE = (
    *(inspect.ListType, inspect.SetType, inspect.DictType, inspect.TypedDictType, inspect.ByteArrayType),
    *(inspect.RawType, inspect.AnyType),
)


def _origin(cls: Any) -> Any:
    return getattr(cls, "__origin__", cls)

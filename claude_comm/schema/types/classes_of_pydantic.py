"""Classes of pydantic inside types that msgspec reads: where the two would take, or write, different messages.

Law: what is let through here is read and written by msgspec as pydantic would read and write it, or never by pydantic.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from msgspec import inspect

from claude_comm.schema.types.classes import fields_of, nodes, parts_of


def pydantic_inside(root: Any) -> Any:
    """A class of pydantic that `root`, a type as msgspec describes it, cannot hold; None where there is none.

    Of a dataclass of pydantic msgspec knows the fields as Python has them: no alias, no bound, no validator, and for a
    default what `Field` returns. And an object of one in a plain dictionary is written by pydantic (`json_form`), where
    msgspec reads it.
    """
    held = (_class_of(node) for node in nodes(root))
    written = (_class_of(node) for node in nodes(root, _in_dictionaries))
    return next((cls for cls in held if cls is not None and _says_more(cls)), None) or next(filter(None, written), None)


def _class_of(node: Any) -> Any:
    """The class of pydantic that a node is of."""
    cls = getattr(node, "cls", None)
    cls = getattr(cls, "__origin__", cls)
    return cls if hasattr(cls, "__pydantic_validator__") else None


def _says_more(cls: Any) -> bool:
    """Whether a class says more than a plain dataclass of the same fields."""
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls):
        return True
    fields = getattr(cls, "__pydantic_fields__", {})
    decorators = getattr(cls, "__pydantic_decorators__", None)
    return (
        any(type(field.default).__name__ == "FieldInfo" for field in dataclasses.fields(cls))
        or any(field.metadata or field.alias or field.validation_alias for field in fields.values())
        or any(getattr(decorators, kind) for kind in getattr(decorators, "__dataclass_fields__", ()))
        or bool(getattr(cls, "__pydantic_config__", None))
    )


def _in_dictionaries(node: Any) -> list[Any]:
    """What a payload holds as dictionaries, lists and tuples hold it: no object is entered."""
    return [*(fields_of(node) if isinstance(node, inspect.TypedDictType) else ()), *parts_of(node)]

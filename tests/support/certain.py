"""What a type takes for certain, what its schema leaves to code, and what it refuses: held to its decoder."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, RootModel, create_model

from claude_comm.client.payload_types import accepted
from claude_comm.errors import DecodeError
from claude_comm.schema import keywords
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.validator import compile_validator
from tests.support.typed_values import take

# A type; what it takes for certain, what is left to code, and what it refuses.
Case = tuple[Any, list[Any], list[Any], list[Any]]


def model(shape: Any) -> Any:
    """A value of a type as pydantic reads it."""
    return RootModel[shape]


def field(shape: Any, **config: Any) -> Any:
    """A model whose only field `v` has that type, under this configuration."""
    return create_model("Of", __config__=ConfigDict(**config), v=(shape, ...))


def names(*listed: str) -> list[Any]:
    """Objects with one member each, of these names."""
    return [{name: 1} for name in listed]


def fields(*listed: Any) -> list[Any]:
    return [{"v": value} for value in listed]


def wrong(case: Case) -> list[str]:
    """What of a case is not as its type's decoder, or its schema, has it."""
    shape, taken, left, refused = case
    schema = accepted(shape)
    allowed, sure = compile_validator(schema), compile_validator(certain(schema))
    return [
        *(f"the decoder refuses {instance!r}" for instance in taken if not takes(instance, shape)),
        *(f"the decoder takes {instance!r}" for instance in refused if takes(instance, shape)),
        *(f"it is not certain that {instance!r} is taken" for instance in taken if not sure.accepts(instance)),
        *(f"{instance!r} is not left to code" for instance in left if sure.accepts(instance)),
        *(f"the schema refuses {instance!r}" for instance in left if not allowed.accepts(instance)),
        *(f"the schema takes {instance!r}" for instance in refused if allowed.accepts(instance)),
    ]


def certain(schema: Any) -> Any:
    """What a schema allows without any word of code."""
    if not isinstance(schema, dict):
        return schema
    return OPAQUE not in schema and {name: keywords.mapped(name, value, certain) for name, value in schema.items()}


def takes(instance: Any, shape: Any) -> bool:
    try:
        take(instance, shape)
    except DecodeError:
        return False
    return True

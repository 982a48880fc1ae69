"""Contracts: the types of message that a module accepts and produces, each with a schema.

Law: pure. A contract crosses the wire as JSON, one field per module in the registry's hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from claude_comm.envelope import DEFAULT_TYPE, Micros
from claude_comm.errors import ClaudeCommError, ConfigurationError, SchemaError
from claude_comm.names import check_name, check_target

Schema = dict[str, Any] | bool

# Of the record that stands in the registry.
VERSION = 1

# With one of these as a key, a mapping is a schema; without, it maps message types to schemas.
_KEYWORDS = frozenset(
    "$schema $id $ref $defs definitions type properties required items prefixItems additionalProperties "
    "patternProperties unevaluatedProperties enum const anyOf oneOf allOf not if format pattern minimum maximum "
    "minLength maxLength minItems maxItems title description".split()
)


class Produced(msgspec.Struct, frozen=True, omit_defaults=True):
    """A type of message that a module sends; `target` names to whom, where that is known beforehand."""

    type: str
    schema: Schema
    target: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One module's declaration. `accepts` maps a message type to the schema of its payload, `replies` to the schema
    of what its handler answers; `max_lag` is how many messages may wait in its inbox (0: what the publisher's settings
    say).

    `v` is the version of the record: fields that a newer release adds are passed over, and one whose meaning changes
    counts it up.
    """

    module: str
    version: str = "1.0.0"
    accepts: dict[str, Schema] = {}
    produces: list[Produced] = []
    replies: dict[str, Schema] = {}
    max_lag: int = 0
    registered_us: Micros = 0
    v: int = VERSION

    def sends(self, target: str, type: str) -> Schema | None:
        """The schema of what this module sends to that target, or None where it declares none."""
        fallback = None
        for produced in self.produces:
            if produced.type == type and produced.target == target:
                return produced.schema
            if produced.type == type and not produced.target:
                fallback = produced.schema
        return fallback


def by_type(declared: object) -> dict[str, Schema]:
    """A declaration as a map from message type to schema; a bare schema is that of the default type."""
    if declared is None:
        return {}
    if not isinstance(declared, Mapping) or not declared or _KEYWORDS & declared.keys():
        return {DEFAULT_TYPE: _schema(DEFAULT_TYPE, declared)}
    return {check_name(name, "message type"): _schema(name, schema) for name, schema in declared.items()}


def contract(
    module: str,
    *,
    version: str = "1.0.0",
    accepts: Mapping[str, Any] | bool | None = None,
    produces: list[Produced] | None = None,
    replies: Mapping[str, Any] | None = None,
    max_lag: int = 0,
    registered_us: int = 0,
) -> Contract:
    """A contract with its names checked. Raises InvalidName or SchemaError."""
    if max_lag < 0:
        raise ConfigurationError(f"max_lag is {max_lag!r}: it is a number of messages, or 0 for no limit of its own.")
    for produced in produces or []:
        check_name(produced.type, "message type")
        if produced.target:
            check_target(produced.target)
        _schema(produced.type, produced.schema)
    return Contract(
        module=check_name(module),
        version=version,
        accepts=by_type(accepts),
        produces=produces or [],
        replies={check_name(name, "message type"): _schema(name, schema) for name, schema in (replies or {}).items()},
        max_lag=max_lag,
        registered_us=registered_us,
    )


# Why a record is not read although it may be whole.
NEWER = "a newer release wrote it: upgrade this program"


class Versioned(msgspec.Struct, frozen=True):
    """What every version of a record has."""

    v: int = 1


class UnreadableContract(ClaudeCommError):
    """What stands in the registry is not a contract."""

    def __init__(self, module: str, why: str) -> None:
        self.module, self.why = module, why
        super().__init__(f"the registered contract of {module!r} cannot be read ({why}); start that module again.")


def encode(declared: Contract) -> bytes:
    return msgspec.json.encode(declared)


def decode(module: str, text: bytes) -> Contract:
    """Raises UnreadableContract: another program may have written there."""
    try:
        if msgspec.json.decode(text, type=Versioned).v <= VERSION:
            return msgspec.json.decode(text, type=Contract)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableContract(module, str(error)) from None
    raise UnreadableContract(module, NEWER)


def _schema(name: str, schema: object) -> Schema:
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, Mapping):
        raise SchemaError(
            f"the schema of {name!r} is a {type(schema).__name__}; a JSON Schema is an object or a boolean"
        )
    return dict(schema)

"""Two independent validators on one candidate: the only way in which a message becomes a witness.

Law: a witness is a value that both `jsonschema-rs` and `jsonschema` find valid under the producer's schema, and both
find invalid under the consumer's. Where they differ there is no witness.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import jsonschema_rs
import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.dialect import Dialect
from claude_comm.schema.validate import compiled
from claude_comm.schema.verdict import Json


class Side(msgspec.Struct, frozen=True):
    """One schema in its own dialect, compiled by `jsonschema-rs`."""

    schema: Json
    dialect: Dialect
    rust: jsonschema_rs.Validator


def side(schema: Json, dialect: Dialect) -> Side:
    """Compiled for confirming; raises `SchemaError`."""
    try:
        return Side(schema, dialect, compiled(schema, dialect))
    except SchemaError:
        return Side(schema, dialect, compiled(schema, dialect, patterns="any"))


def separates(produced: Side, accepted: Side, candidate: Json) -> bool:
    """Whether the first validator takes `candidate` for a message of `produced` that `accepted` refuses."""
    try:
        return produced.rust.is_valid(candidate) and not accepted.rust.is_valid(candidate)
    except ValueError:
        return False


def confirmed(produced: Side, accepted: Side, candidate: Json) -> bool:
    """Whether the second validator says the same."""
    return _python(produced, candidate) is True and _python(accepted, candidate) is False


def _python(one: Side, candidate: Json) -> bool | None:
    # Imported here: it costs tens of milliseconds, and only an incompatible pair needs it.
    import jsonschema
    import referencing.exceptions

    try:
        # The registry of meta-schemas and nothing else: without it, references would be fetched.
        registry = jsonschema.validators.SPECIFICATIONS
        return bool(_class(one.dialect)(one.schema, registry=registry).is_valid(candidate))
    except (
        RecursionError,
        re.error,
        ArithmeticError,
        jsonschema.exceptions.UndefinedTypeCheck,
        referencing.exceptions.Unresolvable,
        jsonschema.exceptions._WrappedReferencingError,
    ):
        return None


@functools.cache
def _class(dialect: Dialect) -> Any:
    import jsonschema

    return {
        "draft2020-12": jsonschema.Draft202012Validator,
        "draft2019-09": jsonschema.Draft201909Validator,
        "draft7": jsonschema.Draft7Validator,
        "draft6": jsonschema.Draft6Validator,
        "draft4": jsonschema.Draft4Validator,
    }[dialect]

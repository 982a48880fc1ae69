"""Why a schema cannot be used: every fault, each with its place in the document that holds the schema."""

from __future__ import annotations

import functools

from claude_comm.documents.form import DocumentProblem, Steps
from claude_comm.errors import SchemaError
from claude_comm.schema.dialect import URI, Dialect, dialect_of
from claude_comm.schema.validation.phrases import place
from claude_comm.schema.validation.validator import Validator, compile_validator, well_formed
from claude_comm.schema.verdict import Json


def faults(schema: Json, at: Steps) -> list[DocumentProblem]:
    """The faults of `schema`, which stands at `at`; empty for a well-formed one."""
    try:
        well_formed(schema)
    except SchemaError as error:
        return _all_faults(schema, at) or [DocumentProblem(place((*at, *_steps(schema, error.path))), error.sentence)]
    return []


def _all_faults(schema: Json, at: Steps) -> list[DocumentProblem]:
    """What its meta-schema refuses; nothing where the fault is another (a cap, a reference, the dialect)."""
    try:
        breaches = _meta(dialect_of(schema)).validate(schema)
    except SchemaError:
        return []
    here = place(at)
    return [DocumentProblem(here + breach.path[1:], f"not a schema: {breach.sentence}.") for breach in breaches]


@functools.cache
def _meta(dialect: Dialect) -> Validator:
    return compile_validator({"$schema": URI[dialect], "$ref": URI[dialect]})


def _steps(schema: Json, pointer: str) -> Steps:
    """A JSON Pointer into the schema as the steps of a path."""
    steps: list[str | int] = []
    value = schema
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name.isdigit():
            steps.append(int(name))
            value = value[int(name)] if int(name) < len(value) else None
        else:
            steps.append(name)
            value = value.get(name) if isinstance(value, dict) else None
    return tuple(steps)

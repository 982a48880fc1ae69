"""JSON Schemas in files, as they are handed to commands, with what they refer to.

Law: a schema that cannot be used is an InvalidDocument with every fault, each with its place. Apart from `documents`:
reading one takes the import of the schema engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from claude_comm.cli import documents
from claude_comm.documents import form
from claude_comm.errors import ConfigurationError, SchemaError
from claude_comm.pipeline.faults import faults
from claude_comm.schema.containment.confirm import compile_side
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.limits import measure
from claude_comm.schema.normalform.bundle import bundle
from claude_comm.schema.verdict import Json


def read_schema(name: str, referenced: Mapping[str, Json] = MappingProxyType({})) -> Json:
    """The JSON Schema in this file with what it refers to, which a check can use: patterns need not be regular.

    Raises InvalidDocument with every fault of one that cannot be used.
    """
    schema = documents.read(name)
    try:
        schema = bundle(schema, referenced)
        measure(schema)
        compile_side(schema, dialect_of(schema))
    except SchemaError as error:
        form.raise_invalid(documents.origin(name), faults(schema, ()) or [form.DocumentProblem("$", str(error))])
    return schema


def read_pair(first: str, second: str, referenced: Sequence[str] | None = None) -> tuple[Json, Json]:
    """The two schemas in these files, of which one may be stdin; `referenced` are further ones, as URI=FILE."""
    documents.one_stdin(first, second)
    at_hand = read_referenced(referenced or ())
    return read_schema(first, at_hand), read_schema(second, at_hand)


def read_referenced(pairs: Sequence[str]) -> dict[str, Json]:
    """The schemas that others may refer to, by their addresses."""
    at_hand: dict[str, Json] = {}
    for pair in pairs:
        # An address with an equals sign in its query has to be given with the code of it, %3D.
        uri, sign, name = pair.partition("=")
        if not (uri and sign and name):
            raise ConfigurationError(
                f"--document {pair!r}: URI=FILE is expected, as in https://example.com/a.json=a.json."
            )
        at_hand[uri] = documents.read(name)
    return at_hand

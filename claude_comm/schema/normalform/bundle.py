"""A schema and the documents that it refers to, as one document that needs no other.

Law: nothing is ever fetched. A document that is handed over is embedded under its address (`$id`), as JSON Schema's own
bundling has it (core 2020-12, section 9.3), so that every reference keeps its text and means the same. What is not
referred to is left out; what is referred to and was not handed over stays a reference that leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urldefrag, urljoin

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.verdict import Json


def bundle(schema: Json, documents: Mapping[str, Json], *, default_dialect: Dialect = DEFAULT) -> Json:
    """The schema with those of the documents, by their addresses, that it refers to.

    Raises `SchemaError` for a document that is no schema.
    """
    if not documents or not isinstance(schema, dict):
        return schema
    dialect = dialect_of(schema, default_dialect)
    identifier = "id" if dialect == "draft4" else "$id"
    at_hand = {_address(uri): (uri, document) for uri, document in documents.items()}
    embedded: dict[str, Json] = {}
    pending = [*_targets(schema, str(schema.get(identifier, "")), identifier)]
    while pending:
        address = pending.pop()
        if address not in at_hand or address in embedded:
            continue
        uri, document = at_hand[address]
        if not isinstance(document, dict):
            raise SchemaError(f"the document {uri!r} is no schema that could be referred to: an object is expected.")
        embedded[address] = _named(document, address, identifier, dialect)
        pending += _targets(document, address, identifier)
    if not embedded:
        return schema
    holder = "$defs" if keywords.known("$defs", dialect) else "definitions"
    return _beside(schema, holder, embedded)


def _beside(schema: dict[str, Json], holder: str, embedded: dict[str, Json]) -> Json:
    """The schema with more definitions, under names that it does not use."""
    definitions = dict(schema.get(holder, {}))
    for address, document in embedded.items():
        name = address
        while name in definitions:
            name += "'"
        definitions[name] = document
    return {**schema, holder: definitions}


def _named(document: dict[str, Json], address: str, identifier: str, dialect: Dialect) -> Json:
    """A document under the address at which it was handed over; of the dialect around it it says no more."""
    named = {**document, identifier: address}
    if "$schema" in named and dialect_of(document, dialect) == dialect:
        del named["$schema"]
    return named


def _address(uri: str) -> str:
    return urldefrag(uri).url


def _targets(root: Json, base: str, identifier: str) -> Iterator[str]:
    """The addresses of the documents that a schema refers to, each against the base address there."""
    stack: list[tuple[Json, str, keywords.Holds]] = [(root, base, "schema")]
    while stack:
        value, base, holds = stack.pop()
        if isinstance(value, dict) and holds in ("schema", "unknown"):
            if value is not root and isinstance(value.get(identifier), str):
                base = _join(base, value[identifier])
            for keyword in keywords.REFERENCES & value.keys():
                if isinstance(value[keyword], str):
                    yield _address(_join(base, value[keyword]))
        for _, item, inner in keywords.inside(value, holds):
            if inner != "data" and isinstance(item, dict | list):
                stack.append((item, base, inner))


def _join(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        # An address such as `http://[`: the validator refuses it.
        return reference

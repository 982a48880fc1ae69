"""The schemas of contracts as one JSON Schema document.

Law: each schema is a resource of its own, by an `$id` of its own, as JSON Schema's bundling has it (2020-12 core,
section 9.3): references inside keep their text. A schema without an address gets one that says its digest, so that the
same schema has the same address in every bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from claude_comm.interchange.references import renamed
from claude_comm.registry.canonical import schema_digest
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.dialect import DEFAULT, URI, dialect_of
from claude_comm.schema.verdict import Json

_URN = "urn:claude-comm:schema:"


def bundle(namespace: str, contracts: Sequence[Contract]) -> dict[str, Json]:
    """A document whose `$defs` have every schema, as MODULE/VERSION/accepts/TYPE, .../produces/TYPE (with /TARGET where
    the contract names one) and .../replies/TYPE."""
    taken: dict[str, str] = {}
    definitions = {name: _resource(schema, taken) for name, schema in _named(contracts)}
    return {"$schema": URI[DEFAULT], "$id": f"urn:claude-comm:contracts:{namespace}", "$defs": definitions}


def _named(contracts: Sequence[Contract]) -> Iterator[tuple[str, Schema]]:
    for contract in contracts:
        start = f"{contract.module}/{contract.version}"
        yield from ((f"{start}/accepts/{type}", schema) for type, schema in contract.accepts.items())
        for sent in contract.produces:
            yield f"{start}/produces/{sent.type}" + (f"/{sent.target}" if sent.target else ""), sent.schema
        yield from ((f"{start}/replies/{type}", schema) for type, schema in contract.replies.items())


def _resource(schema: Schema, taken: dict[str, str]) -> Json:
    """The schema under an address that no other one has; `taken` maps addresses to digests. Where the same schema
    stands there already, a reference to it."""
    digest = schema_digest(schema)
    if isinstance(schema, bool):
        return schema
    word = "id" if dialect_of(schema) == "draft4" else "$id"
    declared = schema.get(word)
    own = declared.rstrip("#") if isinstance(declared, str) else ""
    address = own or _URN + digest
    if taken.get(address, digest) != digest:
        # Two versions of a schema often share their `$id`; in one document that would be one resource.
        address = _URN + digest
    if address in taken:
        return {"$ref": address}
    taken[address] = digest
    if own:
        return renamed(schema, own, address) if own != address else schema
    return {word: address, **schema}

"""Contracts as JSON documents: what the command line reads from a file and the dashboard from a form.

Law: every schema of a document can be used before the registry hears of it. What `module show --json` prints is such a
document: what it says beside the contract is passed over, so that it may be edited and registered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from claude_comm.documents import form
from claude_comm.documents.form import DocumentProblem
from claude_comm.errors import InvalidDocument
from claude_comm.pipeline.faults import faults
from claude_comm.registry.contracts import Contract, Produced, contract

# What `module show` says of a module, and what the registry adds to a contract.
_SHOWN = frozenset(("versions", "offered", "instances", "history"))
_RECORDED = frozenset(("registered_us", "v"))


def from_document(document: Any, origin: str) -> Contract:
    """A contract from a document of the form `contract`. Raises InvalidDocument with every problem."""
    if isinstance(document, dict) and document.keys() >= _SHOWN:
        document = {name: value for name, value in document.items() if name not in _SHOWN | _RECORDED}
    form.require("contract", document, origin)
    problems = list(_faults(document))
    if problems:
        form.raise_invalid(origin, problems)
    given = {name: value for name, value in document.items() if name not in ("$schema",) and not name.startswith("x-")}
    produced = [Produced(row["type"], row["schema"], row.get("target", "")) for row in given.pop("produces", [])]
    try:
        return contract(given.pop("module"), produces=produced, **given)
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidDocument(origin, [("$", f"it is no contract: {error}.")]) from None


def _faults(document: Mapping[str, Any]) -> Iterator[DocumentProblem]:
    """What keeps the schemas of a document from being used."""
    for part in ("accepts", "replies"):
        schemas = document.get(part, {})
        for type, schema in schemas.items() if isinstance(schemas, dict) else ():
            if isinstance(schema, dict | bool):
                yield from faults(schema, (part, type))
    for index, row in enumerate(document.get("produces", [])):
        yield from faults(row["schema"], ("produces", index, "schema"))

"""Contracts as they are handed to commands: a JSON document, or a Module object by where it is."""

from __future__ import annotations

from claude_comm.cli import documents
from claude_comm.client.contract_documents import from_document
from claude_comm.registry.contracts import Contract


def read(source: str) -> Contract:
    """The contract in this JSON file (`-`: stdin), or of the Module at PACKAGE.FILE:MODULE. Raises ConfigurationError,
    NotFound or SchemaError."""
    if source.endswith(".py") or (":" in source and not source.endswith(".json")):
        from claude_comm.client.module.finder import find_module

        return find_module(source).contract()
    return from_document(documents.read(source), documents.origin(source))

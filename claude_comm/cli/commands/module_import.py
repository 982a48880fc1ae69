"""The command `module import`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import foreign_documents, published
from claude_comm.cli.options import AsJson
from claude_comm.cli.published import Output
from claude_comm.errors import ConfigurationError
from claude_comm.escaping import clean
from claude_comm.interchange import reading
from claude_comm.interchange.imported import Imported
from claude_comm.names import check_name
from claude_comm.registry.contracts import Contract
from claude_comm.terminal.output import say


def command(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A document in JSON or YAML, or JSON on stdin for -.")],
    module: Annotated[
        str,
        typer.Option("--module", help="The module to read if the document has several; else the new module's name."),
    ] = "",
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Read OpenAPI, AsyncAPI or a list of MCP tools as a contract.

    From OpenAPI 3.0 and 3.1, each operation becomes a type of message, and its success response the reply. From
    AsyncAPI 2 and 3, it reads what the application receives and sends; from MCP, each tool. The output is a file for
    `module register`. Nothing is fetched. What could not be translated is reported on stderr, with its place; --json
    writes both: {contract, notes}.
    """
    imported = _chosen(reading.read(foreign_documents.read(source), foreign_documents.origin(source)), module)
    document = as_document(imported.contract)
    if as_json:
        published.write({"contract": document, "notes": imported.notes}, output)
        return
    for note in imported.notes:
        say(clean(f"{note.path}: {note.sentence}"))
    published.write(document, output)


def as_document(declared: Contract) -> dict[str, Any]:
    """The contract as `module register` reads it."""
    document: dict[str, Any] = msgspec.to_builtins(declared)
    for name in ("v", "registered_us", "max_lag"):
        document.pop(name, None)
    return {"module": declared.module, "version": declared.version, **document}


def _chosen(contracts: list[Imported], module: str) -> Imported:
    """The contract of that module: the first of its versions; or the only one, under that name."""
    modules = dict.fromkeys(imported.contract.module for imported in contracts)
    if module in modules:
        return next(imported for imported in contracts if imported.contract.module == module)
    if len(modules) > 1:
        raise ConfigurationError(f"the document has {', '.join(modules)}: choose one with --module.")
    if not module:
        return contracts[0]
    declared = msgspec.structs.replace(contracts[0].contract, module=check_name(module))
    return Imported(declared, contracts[0].notes)

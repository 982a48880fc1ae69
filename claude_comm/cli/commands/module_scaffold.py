"""The command `module scaffold`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli import contract_files, scaffolding
from claude_comm.cli.options import AsJson
from claude_comm.cli.published import Output
from claude_comm.cli.scaffolding import Written
from claude_comm.errors import ConfigurationError
from claude_comm.escaping import clean
from claude_comm.terminal.output import emit, emit_json, say

_WORDS = {
    "equal": "the same as given, proved both ways",
    "wider": "takes or sends more than is given",
    "narrower": "takes or sends less than is given, proved",
    "different": "more than is given, and less",
    "undecided": "it could not be decided how it stands to what is given",
}


def command(
    source: Annotated[str, typer.Argument(metavar="CONTRACT.json", help="A contract as JSON, or - for stdin.")],
    output: Output = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write typed handlers for a contract, and prove that they keep it.

    The file has a msgspec Struct for each object and a handler for each accepted type. If a type cannot express all of
    a schema, the handler declares the schema as well. Then the file is executed, and its contract is compared with the
    given one in both directions. Remaining differences are reported (exit code 1, or 4 if it cannot be decided).
    --json: {text, proved, notes}.
    """
    written = scaffolding.written(contract_files.read(source))
    if output is not None:
        _save(output, written.scaffold.text, force)
    if as_json:
        emit_json({"text": written.scaffold.text, "proved": written.proved, "notes": written.scaffold.notes})
    elif output is None:
        emit(written.scaffold.text.rstrip("\n"))
    _say(written)
    relations = {proof.relation for proof in written.proved if not proof.kept}
    if relations:
        raise typer.Exit(4 if relations == {"undecided"} else 1)


def _save(output: Path, text: str, force: bool) -> None:
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigurationError(f"{output} is there already: --force replaces it.") from None
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}.") from None


def _say(written: Written) -> None:
    for note in written.scaffold.notes:
        say(clean(f"{note.path}: {note.sentence}"))
    for proof in written.proved:
        say(clean(f"{proof.part} {proof.type}: {_WORDS[proof.relation]}."))

"""The command `schema infer`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from claude_comm.cli import documents
from claude_comm.cli.options import AsJson
from claude_comm.schema.verdict import Json
from claude_comm.terminal.output import emit_document, emit_json


def command(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="JSON files with one sample each; - for stdin.")
    ],
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Every line of the files is a sample.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the schema that sample messages suggest.

    Every sample is an instance of the schema. It goes to stdout as JSON; on a terminal in colours, unless --json is
    given.
    """
    from claude_comm.schema.evolution.infer import infer as suggest

    documents.one_stdin(*files)
    schema = suggest(_samples(files, jsonl))
    if as_json:
        emit_json(schema)
    else:
        emit_document(schema)


def _samples(files: list[str], jsonl: bool) -> Iterator[Json]:
    for name in files:
        if jsonl:
            yield from (line.value() for line in documents.lines(name))
        else:
            yield documents.read(name)

"""The command `impact`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from claude_comm.cli import completions, contract_files, documents, projection
from claude_comm.cli.options import AsJson
from claude_comm.client import contract_documents
from claude_comm.client.impact.assessment import ImpactScope, assess
from claude_comm.errors import ConfigurationError
from claude_comm.escaping import clean
from claude_comm.impact.documents import ids, junit, markdown, way, witness
from claude_comm.impact.effects import Impact
from claude_comm.names import check_name
from claude_comm.registry.contracts import Contract
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.terminal.output import OutputFailed, emit, emit_json, emit_styled, emit_table, say
from claude_comm.terminal.styles import style_of
from claude_comm.terminal.tables import Column, Columns
from claude_comm.transport.connect import connect

_COLUMNS: Columns = [
    Column("status", "whole"),
    Column("way", "whole"),
    Column("messages", "number", rank=1),
    Column("why", "wrap", least=20),
    Column("for example", rank=2, least=20),
]
EXIT_CODES = {"safe": 0, "adapted": 0, "theoretical": 1, "broken": 1, "undecided": 4}


class ImpactFormat(StrEnum):
    TABLE = "table"
    MARKDOWN = "md"
    JSON = "json"


def command(
    module: Annotated[
        str, typer.Argument(metavar="MODULE", help="The module that changes.", autocompletion=completions.modules)
    ],
    contract: Annotated[
        str, typer.Argument(metavar="CONTRACT", help="Its new contract as JSON, - for stdin, or PACKAGE.FILE:MODULE.")
    ],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Check the traffic of so many days up to now.")] = 30,
    against: Annotated[
        str, typer.Option(metavar="NAMESPACE", help="Ask about the system in this namespace, instead of your own.")
    ] = "",
    most: Annotated[
        int, typer.Option(min=0, help="Replay at most so many stored messages of one sender and type, the newest.")
    ] = 1_000_000,
    pipeline: Annotated[
        list[str] | None,
        typer.Option(
            "--pipeline",
            metavar="PIPE.json",
            help="Check this pipeline as well, whether it ran or not; may be given several times.",
        ),
    ] = None,
    allow_theoretical: Annotated[
        bool,
        typer.Option("--allow-theoretical", help="Exit with 0 also if something can break but no known message does."),
    ] = False,
    format: Annotated[
        ImpactFormat, typer.Option(help="A table, Markdown for a pull request, or JSON.")
    ] = ImpactFormat.TABLE,
    to_junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file as well.")] = None,
    to_ids: Annotated[
        Path | None, typer.Option("--ids", help="Write the id of each message that would be refused to this file.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what would break if a module registered a new contract.

    It checks five sources: the agreements and contracts of partners (proofs, in both directions); the messages in
    streams, including pending, delayed and dead ones (replayed); the traffic of the last days (by shape); the sessions
    in flight through pipelines; and the pipelines that run, ran lately, or are given by `--pipeline`. It says how much
    of each source it checked.

    Each flow is `safe` (proved), `adapted` (proved, with an adapter), `theoretical` (it can break, but no known message
    does), `broken` (with a witness, or the ids of messages) or `undecided`. Exits with 0 if all are safe or adapted, 1
    if one is broken or theoretical, 4 if one is undecided and none is broken.

    If a proof shows that all messages of a shape would be refused, the latest are named and the others counted; `--ids`
    and `--json` name each.
    """
    settings = settings_of_process()
    if against:
        settings = msgspec.structs.replace(settings, namespace=check_name(against, "namespace"))
    form = ImpactFormat.JSON if as_json else format
    documents.one_stdin(contract, *(pipeline or []))
    pipelines = tuple((documents.origin(name), documents.read(name)) for name in pipeline or [])
    name_all = to_ids is not None or form is ImpactFormat.JSON
    scope = ImpactScope(days=days, most=most, pipelines=pipelines, name_all=name_all)
    impact = _assessed(settings, _read(module, contract), scope)
    if to_ids is not None:
        _write(to_ids, "".join(f"{message.id}\n" for message in impact.failing))
    if to_junit is not None:
        _write(to_junit, junit(impact))
    if form is ImpactFormat.JSON:
        emit_json(impact)
    elif form is ImpactFormat.MARKDOWN:
        emit(markdown(impact).rstrip("\n"))
    else:
        _show(impact)
    return 0 if impact.status == "theoretical" and allow_theoretical else EXIT_CODES[impact.status]


def _read(module: str, source: str) -> Contract:
    """A document may leave out the name of its module."""
    check_name(module)
    if source.endswith(".py") or (":" in source and not source.endswith(".json")):
        declared = contract_files.read(source)
    else:
        document = documents.read(source)
        named = {"module": module, **document} if isinstance(document, dict) else document
        declared = contract_documents.from_document(named, documents.origin(source))
    if declared.module != module:
        raise ConfigurationError(
            f"{source} is the contract of {declared.module!r}, not of {module!r}: name that module."
        )
    return declared


def _assessed(settings: Settings, new: Contract, scope: ImpactScope) -> Impact:
    with connect(settings) as client, projection.opened(settings) as database:
        return assess(client, database, settings, new, scope)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror}.") from None


def _show(impact: Impact) -> None:
    emit_styled(clean(f"{impact.status}: {impact.sentence}"), style_of("status", impact.status))
    rows = [
        [effect.status, way(effect), f"{effect.messages:,}", effect.why, ids(effect) or witness(effect)]
        for effect in impact.effects
    ]
    emit_table(_COLUMNS, rows)
    for coverage in impact.coverage:
        say(f"{coverage.source}: {coverage.sentence}")

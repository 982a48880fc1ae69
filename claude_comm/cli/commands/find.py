"""The command `find`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import contract_files, documents
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AsJson, BudgetMs, Strict, policy
from claude_comm.client.discovery.finder import Finder
from claude_comm.discovery.query import Partner, Query
from claude_comm.escaping import clean
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import emit, emit_json, emit_table, say
from claude_comm.terminal.tables import Column, Columns, numbers
from claude_comm.transport.connect import connect

NOBODY, UNDECIDED = 1, 4
_COLUMNS: Columns = [
    Column("module", least=12),
    Column("version", "whole"),
    *numbers("instances"),
    Column("how", least=20),
    Column("capabilities", rank=1, least=12),
]


def command(
    accepts: Annotated[
        str, typer.Option("--accepts", metavar="SAMPLE.json", help="Modules that accept this message; - for stdin.")
    ] = "",
    produces: Annotated[
        str, typer.Option("--produces", metavar="SAMPLE.json", help="Modules that may send such a message.")
    ] = "",
    fits: Annotated[
        str,
        typer.Option(
            "--fits",
            metavar="CONTRACT.json",
            help="Modules that accept something that this contract produces, or produce something that it accepts.",
        ),
    ] = "",
    type: Annotated[str, typer.Option("--type", metavar="TYPE", help="Only messages of this type.")] = "",
    capability: Annotated[
        str, typer.Option("--capability", metavar="NAME", help="Modules whose contract names this capability.")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="PATTERN", help="Modules of this name; `*` for any text.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Also modules without a running instance.")] = False,
    strict: Strict = False,
    budget_ms: BudgetMs = DEFAULT_BUDGET_MS,
    as_json: AsJson = False,
) -> int:
    """Find modules by what they accept, produce or can do, by proof.

    A module is found if it fulfils every option that you give. Without `--all`, only modules with a running instance
    count. Undecided modules are listed separately, with the reason. Exits with 0 if a module was found, with 1 if there
    is none, and with 4 if none was found and some are undecided.
    """
    query = Query(
        accepts=documents.read(accepts) if accepts else msgspec.UNSET,
        produces=documents.read(produces) if produces else msgspec.UNSET,
        fits=contract_files.read(fits) if fits else None,
        type=type,
        capability=capability,
        name=name,
        live=not every,
        policy=policy(strict),
        budget_ms=budget_ms,
    ).check()
    settings = settings_of_process()
    finder = Finder(Keys(settings.namespace))
    with connect(settings) as client:
        client.run(finder.refreshing())
    partners = finder.answer(query)
    if as_json:
        emit_json(partners)
    else:
        _show(partners.found, partners.undecided)
    for module in partners.unreadable:
        say(f"not looked at: {clean(module)}, whose registered contract cannot be read; start that module again.")
    return 0 if partners.found else UNDECIDED if partners.undecided else NOBODY


def _show(found: Sequence[Partner], undecided: Sequence[Partner]) -> None:
    if found:
        emit_table(_COLUMNS, map(_cells, found))
    else:
        say("no module is known to fit." if undecided else "no module fits; --all looks at those that do not run, too.")
    if undecided:
        emit("")
        emit("it cannot be told of:")
        emit_table(
            [Column("module", least=12), Column("version", "whole"), Column("why", least=30)], _reasons(undecided)
        )


def _cells(partner: Partner) -> list[object]:
    ways = dict.fromkeys(f"{way.direction} {way.type}" for way in partner.ways if way.answer == "yes")
    capabilities = ", ".join(partner.capabilities)
    return [partner.module, partner.version, partner.instances, ", ".join(ways) or "-", capabilities or "-"]


def _reasons(undecided: Sequence[Partner]) -> Iterator[list[Any]]:
    for partner in undecided:
        for way in partner.ways:
            if way.answer == "undecided":
                yield [partner.module, partner.version, f"{way.direction} {way.type}: {way.why}"]

"""The command `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from claude_comm.cli import documents, schema_files, verdicts
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AsJson, BudgetMs, Documents, Strict, policy
from claude_comm.terminal.output import emit_json, reader_gone

if TYPE_CHECKING:
    from claude_comm.schema.verdict import Json

BatchFile = Annotated[
    str,
    typer.Option(
        "--batch",
        metavar="FILE.jsonl",
        help="Check one pair per line instead, and write one verdict per line; - for stdin.",
    ),
]


def command(
    context: typer.Context,
    produced: Annotated[str, typer.Argument(metavar="A.json", help="The schema of what is sent; - for stdin.")] = "",
    accepted: Annotated[
        str, typer.Argument(metavar="B.json", help="The schema of what is accepted; - for stdin.")
    ] = "",
    batch: BatchFile = "",
    strict: Strict = False,
    budget: BudgetMs = DEFAULT_BUDGET_MS,
    referenced: Documents = None,
    as_json: AsJson = False,
) -> int:
    """Say whether every message that A allows is accepted by B.

    Exits with 0 for yes (proved), 1 for no (with a message that B refuses), 4 if it cannot be decided.

    Each line of a batch is an object with `id`, `dialect` (draft2020-12, draft2019-09, draft7, draft6 or draft4; for
    schemas without a `$schema`), `sub` (what is sent), `sup` (what is accepted) and, if they refer to other schemas,
    `documents` (those schemas, by address). For each line, in order and at once, it writes a JSON line to stdout: `id`,
    `answer` with its grounds, and `elapsed_ms`; or `id`, `line` and `error` if the line cannot be used. A batch exits
    with 2 if a line could not be used, else with 1 if a gate would refuse a pair, else with 4 if one is undecided, else
    with 0. --budget is for each pair.
    """
    if bool(batch) is bool(produced or accepted) or bool(produced) is not bool(accepted):
        raise typer.BadParameter("Give the two schemas A.json and B.json, or --batch FILE.jsonl.", ctx=context)
    if batch and referenced:
        raise typer.BadParameter("In a batch each line has the `documents` of its own schemas.", ctx=context)
    if batch:
        return _batch(batch, strict, budget)
    schemas = schema_files.read_pair(produced, accepted, referenced)
    return _pair(schemas, strict, budget, as_json)


def _pair(schemas: tuple[Json, Json], strict: bool, budget: float, as_json: bool) -> int:
    from claude_comm.schema.bounded import check

    verdict = check(*schemas, policy=policy(strict), budget_ms=budget, name_empty_forms=True)
    if as_json:
        emit_json(verdict)
    else:
        verdicts.show(verdict)
    return verdicts.exit_code(verdict)


def _batch(name: str, strict: bool, budget: float) -> int:
    from claude_comm.cli.check_batch import UNUSABLE, outcomes

    answers = set()
    for outcome in outcomes(documents.lines(name), policy(strict), budget):
        emit_json(outcome.shown, lines=True)
        answers.add(outcome.answer)
        if reader_gone():
            break
    return 2 if UNUSABLE in answers else verdicts.worst(answers)

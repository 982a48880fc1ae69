"""The command `schema diff`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli import schema_files, verdicts
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AsJson, Documents, Strict, WholeBudgetMs, policy
from claude_comm.schema.evolution.diff import Change, Difference
from claude_comm.schema.evolution.diff import diff as compare
from claude_comm.schema.verdict import Compatible
from claude_comm.terminal.output import emit_json, emit_table, say
from claude_comm.terminal.tables import Column

_WHOM = {"both": "both", "producers": "producers only", "consumers": "consumers only", "neither": "neither"}


def command(
    old: Annotated[str, typer.Argument(metavar="OLD.json", help="The old version of the schema; - for stdin.")],
    new: Annotated[str, typer.Argument(metavar="NEW.json", help="The new version of the schema; - for stdin.")],
    strict: Strict = False,
    budget: WholeBudgetMs = DEFAULT_BUDGET_MS,
    referenced: Documents = None,
    as_json: AsJson = False,
) -> int:
    """Show what changed between two versions of a schema, and for whom.

    Safe for producers: modules that send by the old version can go on. Safe for consumers: modules that read by the old
    version can go on. Each change is checked alone, and then the two versions as a whole. The whole decides the exit
    code: 0 if it is proved safe for both, 1 if a message shows that it is not, 4 if it cannot be decided.
    """
    schemas = schema_files.read_pair(old, new, referenced)
    difference = compare(*schemas, policy=policy(strict), budget_ms=budget, clock=time.monotonic)
    if as_json:
        emit_json(_as_json(difference, changes=[_as_json(change) for change in difference.changes]))
    else:
        _show(difference)
    return verdicts.worst([difference.for_producers.answer, difference.for_consumers.answer])


def _as_json(subject: Change | Difference, **instead: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(subject)
    return {"safe_for": subject.safe_for, **fields, **instead}


def _show(difference: Difference) -> None:
    if difference.changes:
        rows = [(change.path, change.rule, change.sentence, _WHOM[change.safe_for]) for change in difference.changes]
        emit_table(
            ["path", Column("rule", rank=1), Column("change", "wrap", least=24), Column("safe for", "whole")], rows
        )
    for verdict, title in ((difference.for_producers, "old to new"), (difference.for_consumers, "new to old")):
        if not isinstance(verdict, Compatible):
            verdicts.show(verdict, title)
    say(f"{len(difference.changes)} change(s); as a whole safe for {_WHOM[difference.safe_for]}.")

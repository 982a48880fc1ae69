"""The command `check`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import documents, verdicts
from claude_comm.cli.options import DEFAULT_BUDGET_MS, AsJson, Budget, Strict, policy
from claude_comm.cli.output import emit_json
from claude_comm.errors import ConfigurationError


def check(
    produced: Annotated[str, typer.Argument(metavar="A.json", help="The schema of what is sent; - for stdin.")],
    accepted: Annotated[str, typer.Argument(metavar="B.json", help="The schema of what is accepted; - for stdin.")],
    strict: Strict = False,
    budget: Budget = DEFAULT_BUDGET_MS,
    as_json: AsJson = False,
) -> int:
    """Say whether every message that A allows is accepted by B.

    Exits with 0 for yes (proved), 1 for no (with a message that B refuses), 4 when it cannot be decided.
    """
    from claude_comm.schema import check as weigh

    if produced == accepted == "-":
        raise ConfigurationError("only one of the two schemas can be read from stdin.")
    schemas = documents.read_schema(produced), documents.read_schema(accepted)
    verdict = weigh(*schemas, policy=policy(strict), budget_ms=budget)
    if as_json:
        emit_json(verdict)
    else:
        verdicts.show(verdict)
    return verdicts.EXIT_CODES[verdict.answer]

"""Arguments and options that several commands share, each defined once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from claude_comm.schema.verdict import Policy

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout: an array for a list, else an object.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Plain containment: assume that undeclared properties may be sent, too.")
]
BudgetMs = Annotated[float, typer.Option("--budget", min=1, help="Milliseconds that one verdict may take.")]
# Of commands whose one answer takes several verdicts.
WholeBudgetMs = Annotated[
    float, typer.Option("--budget", min=1, help="Milliseconds that all verdicts together may take.")
]
Documents = Annotated[
    list[str] | None,
    typer.Option(
        "--document",
        metavar="URI=FILE",
        help="A schema that references point to, with its address; may be given several times. Nothing is fetched.",
    ),
]
ProducedFile = Annotated[str, typer.Argument(metavar="PRODUCED.json", help="The schema of what is sent; - for stdin.")]
AcceptedFile = Annotated[
    str, typer.Argument(metavar="ACCEPTED.json", help="The schema of what is accepted; - for stdin.")
]
DocumentFile = Annotated[str, typer.Argument(metavar="FILE", help="A JSON file, or - for stdin.", show_default=False)]

PipelineFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A pipeline in JSON, TOML or YAML, or JSON on stdin for -.", show_default=False
    ),
]
AllowUndeclared = Annotated[bool, typer.Option("--allow-undeclared", help="Accept steps that declare no schema.")]
AgainstLive = Annotated[
    bool, typer.Option("--against-live", help="Take the contracts that are registered, before those in the file.")
]

DEFAULT_BUDGET_MS = 2_000.0


def policy(strict: bool) -> Policy:
    return "strict" if strict else "closed-producer"

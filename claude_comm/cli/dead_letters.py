"""The arguments that the `dead` commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli import completions

BuryingModule = Annotated[
    str, typer.Argument(metavar="MODULE", help="The module that buried them.", autocompletion=completions.modules)
]
Conditions = Annotated[
    list[str],
    typer.Option(
        "--where", "-w", metavar="NAME=TEXT", help="Only these: reason=PART, type=, path= or source=; may be repeated."
    ),
]

"""The command `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.demo.play import play
from claude_comm.runtime.environment import settings_of_process


def command(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="Folder with text files to read; by default the docs and package metadata of this project.",
        ),
    ] = "",
) -> None:
    """Watch three modules negotiate, talk and build a search index.

    It starts what is not running, and stops that at the end. Its messages stay; `claude-comm list` shows them.
    """
    play(settings_of_process(), Path(folder) if folder else None)

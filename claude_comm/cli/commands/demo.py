"""The command `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.demo.play import play
from claude_comm.runtime.environment import settings_of_process


def command(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="Text files to read; without it, our docs and package metadata.")
    ] = "",
) -> None:
    """Watch three modules negotiate, talk and build a search index.

    Starts what is not running, and stops it at the end. Its messages stay for `claude-comm list`.
    """
    play(settings_of_process(), Path(folder) if folder else None)

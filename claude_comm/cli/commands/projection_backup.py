"""The command `projection backup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import opened
from claude_comm.errors import ConfigurationError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.store.database import back_up
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; it must not exist yet.")],
    as_json: AsJson = False,
) -> None:
    """Copy the projection into a file, while it is in use."""
    settings = settings_of_process()
    if file.exists():
        raise ConfigurationError(f"{file} exists already: name another file.")
    with opened(settings) as database:
        back_up(database.path, file)
    size = file.stat().st_size
    if as_json:
        emit_json({"file": str(file), "bytes": size})
    else:
        emit(f"{file}: {formats.size(size)}")

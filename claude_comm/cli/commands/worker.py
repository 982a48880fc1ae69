"""The command `worker`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import claude_comm
from claude_comm.cli import completions
from claude_comm.errors import ConfigurationError
from claude_comm.runtime import worker_processes
from claude_comm.runtime.environment import settings_of_process


def command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help=f"One of: {', '.join(worker_processes.WORKERS)}.", autocompletion=completions.workers
        ),
    ],
) -> int:
    """Run one worker in this process, until SIGTERM or SIGINT.

    For a supervisor or a container. `claude-comm up` starts all workers in the background.
    """
    if name not in worker_processes.WORKERS:
        raise ConfigurationError(f"no worker is called {name!r}; there are: {', '.join(worker_processes.WORKERS)}.")
    settings = settings_of_process()
    if name not in worker_processes.able(settings):
        raise ConfigurationError(worker_processes.NO_JOBS)
    # Before the claim, so that the claimer is nearly ready.
    program = _program(name)
    with worker_processes.claim(settings, name) as report:
        return int(program.run(settings, report))


def _program(name: str) -> Any:
    """The worker's file, imported by name because it stands on a floor above.

    The folder that this package lies in comes first: a folder `workers` where the command is run is not ours.
    """
    sys.path.insert(0, str(Path(claude_comm.__file__).parents[1]))
    return importlib.import_module(f"workers.{name}")

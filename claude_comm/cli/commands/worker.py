"""The command `worker`."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from claude_comm.errors import ConfigurationError
from claude_comm.runtime import worker_processes
from claude_comm.runtime.environment import settings_of_process


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(worker_processes.WORKERS)}.")],
) -> int:
    """Run one worker in this process, until SIGTERM or SIGINT.

    `claude-comm up` starts all workers in the background; this is for a supervisor or a container.
    """
    if name not in worker_processes.WORKERS:
        raise ConfigurationError(f"no worker is called {name!r}; there are: {', '.join(worker_processes.WORKERS)}.")
    settings = settings_of_process()
    if name not in worker_processes.able(settings):
        raise ConfigurationError(worker_processes.NO_JOBS)
    # Imported by name: a worker stands on a floor above. Before the claim, so that the claimer is nearly ready.
    program = importlib.import_module(f"workers.{name}")
    with worker_processes.claim(settings, name):
        return int(program.run(settings))

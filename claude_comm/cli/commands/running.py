"""The commands that start and stop things: `up`, `down`, `worker`, `run`."""

from __future__ import annotations

import importlib
import time
from collections.abc import Collection
from typing import Annotated

import typer

from claude_comm.cli.module_finder import find_module
from claude_comm.cli.options import AsJson
from claude_comm.errors import ConfigurationError
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.environment import settings_of_process
from claude_comm.runtime.worker_processes import Service
from claude_comm.settings import Settings, public
from claude_comm.terminal.interrupts import deferred
from claude_comm.terminal.output import emit_fields, emit_json, say

_SERVER = "server"
_WATCH_S = 0.2


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and stop what was started at the end.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Start the private server and the workers.

    What runs already is left as it is. With CLAUDE_COMM_URL set, that server is used and none is started; on a cluster
    without CLAUDE_COMM_CONTROL_URL there is no negotiation worker.
    """
    settings = settings_of_process()
    if foreground:
        return _stay(settings, as_json)
    _show(settings, _start(settings), as_json)
    return 0


def down() -> None:
    """Stop the workers, then the private server.

    Messages stay: the server writes them to its file before it ends. A server named by CLAUDE_COMM_URL is left alone.
    """
    stopped = _stop(settings_of_process())
    say(f"stopped: {', '.join(stopped)}." if stopped else "nothing was running.")


def worker(
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
    # Named, not imported: a worker stands on everything. Before the claim, so that who claims is nearly ready.
    program = importlib.import_module(f"workers.{name}")
    with worker_processes.claim(settings, name):
        return int(program.run(settings))


def run(
    target: Annotated[str, typer.Argument(metavar="PACKAGE.FILE:MODULE", help="Where the Module object is.")],
) -> int:
    """Run a module of yours until SIGTERM or SIGINT.

    `claude-comm run shop.orders:module` imports shop/orders.py, seen from the working folder, and runs its `module`;
    `claude-comm run shop/orders.py:module` does the same by the file's name.
    """
    return find_module(target).run()


def _start(settings: Settings) -> list[Service]:
    if not settings.url:
        private_server.ensure(settings.home)
    if not settings.runs_jobs:
        say(f"Note: {worker_processes.NO_JOBS}")
    return [worker_processes.start(settings, name) for name in worker_processes.able(settings)]


def _show(settings: Settings, started: list[Service], as_json: bool) -> None:
    address = public(settings.url) or str(private_server.socket_path(settings.home))
    if as_json:
        emit_json({"server": address, "workers": started})
        return
    emit_fields({"server": address, **{service.name: f"process {service.pid}" for service in started}})


def _stay(settings: Settings, as_json: bool) -> int:
    """Starts, then waits for a signal or the end of a worker, and stops what was not running before.

    1 when a worker ended.
    """
    before = _alive(settings)
    ended = ""
    with deferred() as check:
        try:
            started = _start(settings)
            _show(settings, started, as_json)
            while not ended:
                check()
                time.sleep(_WATCH_S)
                ended = next((one.name for one in started if not worker_processes.running(settings.home, one.name)), "")
            say(f"Error: the {ended} worker ended; its words are in {settings.home / 'logs'}.")
        except KeyboardInterrupt:
            say("stopping.")
        finally:
            _stop(settings, keep=before)
    return 1 if ended else 0


def _alive(settings: Settings) -> set[str]:
    """What runs: names of workers, and "server" for the private one."""
    alive = {name for name in worker_processes.WORKERS if worker_processes.running(settings.home, name)}
    if not settings.url and private_server.answers(private_server.socket_path(settings.home)):
        alive.add(_SERVER)
    return alive


def _stop(settings: Settings, *, keep: Collection[str] = ()) -> list[str]:
    """Stops the workers and then the private server; the names of what was stopped."""
    workers = [
        name for name in worker_processes.WORKERS if name not in keep and worker_processes.stop(settings.home, name)
    ]
    stops_server = not settings.url and _SERVER not in keep and private_server.stop(settings.home)
    return [*workers, _SERVER] if stops_server else workers

"""The commands that start and stop things: `up`, `down`, `worker`, `run`."""

from __future__ import annotations

import importlib
import signal
import time
from typing import Annotated

import typer

from claude_comm.cli.finding import find_module
from claude_comm.cli.options import AsJson
from claude_comm.cli.output import emit, emit_json, say
from claude_comm.drive import launch, services
from claude_comm.drive.configure import settings_of_process
from claude_comm.drive.services import Service
from claude_comm.errors import ConfigurationError
from claude_comm.settings import Settings, public

_WATCH_S = 0.2


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and stop what was started at the end.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Start the private server and the workers.

    What runs already is left as it is. With CLAUDE_COMM_URL set, that server is used and none is started.
    """
    settings = settings_of_process()
    before = _alive(settings)
    address = public(settings.url) or str(launch.ensure(settings.home))
    started = [services.start(settings, name) for name in services.WORKERS]
    if as_json:
        emit_json({"server": address, "workers": started})
    else:
        emit(f"server       {address}")
        for service in started:
            emit(f"{service.name.ljust(11)}  process {service.pid}")
    return _stay(settings, started, before) if foreground else 0


def down() -> None:
    """Stop the workers, then the private server.

    Messages stay: the server writes them to its file before it ends. A server named by CLAUDE_COMM_URL is left alone.
    """
    settings = settings_of_process()
    stopped = [name for name in reversed(services.WORKERS) if services.stop(settings.home, name)]
    if not settings.url and launch.stop(settings.home):
        stopped.append("server")
    say(f"stopped: {', '.join(stopped)}." if stopped else "nothing was running.")


def worker(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of: {', '.join(services.WORKERS)}.")],
) -> int:
    """Run one worker in this process, until SIGTERM or SIGINT.

    `claude-comm up` starts both workers in the background; this is for a supervisor or a container.
    """
    if name not in services.WORKERS:
        raise ConfigurationError(f"no worker is called {name!r}; there are: {', '.join(services.WORKERS)}.")
    settings = settings_of_process()
    # Named, not imported: a worker stands on everything. Before the claim, so that who claims is nearly ready.
    program = importlib.import_module(f"workers.{name}")
    with services.claim(settings, name):
        return int(program.run(settings))


def run(
    target: Annotated[str, typer.Argument(metavar="PACKAGE.FILE:MODULE", help="Where the Module object is.")],
) -> int:
    """Run a module of yours until SIGTERM or SIGINT.

    `claude-comm run shop.orders:module` imports shop/orders.py, seen from the working folder, and runs its `module`;
    `claude-comm run shop/orders.py:module` does the same by the file's name.
    """
    return find_module(target).run()


def _alive(settings: Settings) -> set[str]:
    """What runs: names of workers, and "server" for the private one."""
    alive = {name for name in services.WORKERS if services.running(settings.home, name)}
    if not settings.url and launch.answers(launch.socket_path(settings.home)):
        alive.add("server")
    return alive


def _stay(settings: Settings, started: list[Service], before: set[str]) -> int:
    """Until a signal, or the end of a worker; then stops what was not running before. 1 when a worker ended."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ended = ""
    try:
        while not ended:
            time.sleep(_WATCH_S)
            ended = next((one.name for one in started if not services.running(settings.home, one.name)), "")
        say(f"Error: the {ended} worker ended; its words are in {settings.home / 'logs'}.")
    except KeyboardInterrupt:
        say("stopping.")
    for name in services.WORKERS:
        if name not in before:
            services.stop(settings.home, name)
    if not settings.url and "server" not in before:
        launch.stop(settings.home)
    return 1 if ended else 0

"""The command `up`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.addresses import public
from claude_comm.cli import services
from claude_comm.cli.options import AsJson
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.environment import settings_of_process
from claude_comm.runtime.signals import deferred_signals
from claude_comm.runtime.worker_processes import Service
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit_fields, emit_json, say

_WATCH_S = 0.2


def command(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in the foreground, and at the end stop what it started.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Start the private server and the workers.

    It waits until each worker is ready, and says which one is not, and why. It does not touch what runs already. If
    CLAUDE_COMM_URL is set, it uses that server and starts none. On a cluster without CLAUDE_COMM_CONTROL_URL there is
    no negotiation worker.
    """
    settings = settings_of_process()
    if foreground:
        return _stay(settings, as_json)
    started = services.start(settings)
    _show(settings, started, as_json)
    services.warn_of_eviction(settings)
    return _troubles(started)


def _show(settings: Settings, started: list[Service], as_json: bool) -> None:
    address = public(settings.url) or str(private_server.socket_path(settings.home))
    if as_json:
        emit_json({"server": address, "workers": started})
        return
    emit_fields({"server": address, **{service.name: _state(service) for service in started}})


def _state(service: Service) -> str:
    return f"process {service.pid}" + ("" if service.state == "works" else f", {service.state}")


def _troubles(started: list[Service]) -> int:
    """Says which workers do not work, and why; 1 where there are any."""
    troubled = [service for service in started if service.trouble]
    for service in troubled:
        say(f"Error: the {service.name} worker does not work: {service.trouble}")
    return 1 if troubled else 0


def _stay(settings: Settings, as_json: bool) -> int:
    """Starts, then waits for a signal or the end of a worker, and stops what was not running before.

    1 when a worker ended.
    """
    before = services.running(settings)
    ended = ""
    with deferred_signals() as check:
        try:
            started = services.start(settings)
            _show(settings, started, as_json)
            _troubles(started)
            while not ended:
                check()
                time.sleep(_WATCH_S)
                ended = _ended(settings, started)
            say(f"Error: the {ended} worker ended; its words are in {settings.home / 'logs'}.")
        except KeyboardInterrupt:
            say("stopping.")
        finally:
            services.stop(settings, keep=before)
    return 1 if ended else 0


def _ended(settings: Settings, started: list[Service]) -> str:
    """The name of a worker that runs no more."""
    return next((service.name for service in started if not worker_processes.running(settings.home, service.name)), "")

"""The command `status`."""

from __future__ import annotations

from typing import Annotated

import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.status_display import show
from claude_comm.cli.status_report import look
from claude_comm.errors import ConfigurationError
from claude_comm.ops import server as ops
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.terminal.output import emit_json
from claude_comm.transport.connect import connect

SERVER = "server"


def command(
    check: Annotated[
        str,
        typer.Option("--check", metavar="NAME", help="Print nothing; exit with 0 if NAME (server or a worker) runs."),
    ] = "",
    ready: Annotated[
        bool, typer.Option("--ready", help="With --check: exit with 0 only if it does its work and waits for nothing.")
    ] = False,
    whole: Annotated[bool, typer.Option("--all", help="Also show idle streams, however many there are.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show what runs: server, workers, streams.

    `behind` counts the entries of a stream that the projection has not stored yet, `later` the delayed messages and
    retries, `dead` the messages that the module has buried. `held by` says what prevents trimming. `lag` counts what a
    group has not read yet, `pending` what it has read and not acked. `lost` counts messages that were deleted from
    their stream before the module had handled them, `duplicates` copies that it skipped; both as far as the projection
    knows. `unreadable` names each kind of key in which another program wrote something foreign, the reason, and the
    server command that removes it (docs/keys.md). The command starts nothing. With --check it is a health check for a
    container or a supervisor. A worker that waits for its server counts as alive; with --ready it counts as not ready.
    One that has been silent for two minutes, because it was stopped or hangs, does not count as alive.
    """
    settings = settings_of_process()
    if check:
        return 0 if _runs(settings, check, ready=ready) else 1
    report = look(settings, whole=whole or as_json)
    if as_json:
        emit_json(report)
    else:
        show(report)
    return 0


def _runs(settings: Settings, name: str, *, ready: bool) -> bool:
    if name in worker_processes.WORKERS:
        service = worker_processes.running(settings.home, name)
        return service is not None and (service.state == "works" or (service.state != "silent" and not ready))
    if name != SERVER:
        raise ConfigurationError(
            f"nothing is called {name!r}; there are: {SERVER}, {', '.join(worker_processes.WORKERS)}."
        )
    if not settings.url:
        return private_server.answers(private_server.socket_path(settings.home))
    with connect(settings) as client:
        client.run_on_each(ops.facts)
    return True

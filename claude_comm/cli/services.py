"""Starting and stopping the private server and the workers: what `up` and `down` share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

from claude_comm.addresses import public
from claude_comm.errors import ConfigurationError, TransportError
from claude_comm.ops import server
from claude_comm.ops.publish import EVICTS
from claude_comm.runtime import private_server, worker_processes
from claude_comm.runtime.worker_processes import Service
from claude_comm.settings import Settings
from claude_comm.terminal.output import say
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

SERVER = "server"


def start(settings: Settings) -> list[Service]:
    """Starts what does not run; the workers that this configuration has. Raises ConfigurationError where signing is
    required and one of them cannot sign."""
    workers = worker_processes.able(settings)
    # The private server is started; an address that cannot be used is refused before any worker fails at it.
    with connect(settings) as client:
        if settings.signing == "require":
            _require_keys(client, settings, workers)
    if not settings.runs_jobs:
        say(f"Note: {worker_processes.NO_JOBS}")
    return worker_processes.start(settings, *workers)


def _require_keys(client: Client, settings: Settings, workers: Sequence[str]) -> None:
    """Raises ConfigurationError where a worker has no key with which it would be believed."""
    from claude_comm.client import keyholders  # PyNaCl is an extra

    if unable := keyholders.unable(client, settings, workers):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in unable.items())
        commands = "".join(f"\n  claude-comm module add {name} --service" for name in unable)
        raise ConfigurationError(
            f"signing is required, and these workers cannot sign ({reasons}). No worker was started. Make the keys in "
            f"the home of the workers:{commands}"
        )


def warn_of_eviction(settings: Settings) -> None:
    """Says which server may delete messages when its memory is full."""
    with connect(settings) as client:
        for pool in client.data.pools():
            with suppress(TransportError):
                facts = Client(pool, pool).run(server.may_tell())
                if facts is not None and facts.evicts:
                    say(f"Warning: {public(pool.url)}: {EVICTS} (now {facts.policy}).")


def running(settings: Settings) -> set[str]:
    """What runs: names of workers, and `server` for the private one."""
    names = {name for name in worker_processes.WORKERS if worker_processes.running(settings.home, name)}
    if not settings.url and private_server.answers(private_server.socket_path(settings.home)):
        names.add(SERVER)
    return names


def stop(settings: Settings, *, keep: Collection[str] = ()) -> list[str]:
    """Stops the workers and then the private server; the names of what was stopped."""
    workers = [
        name for name in worker_processes.WORKERS if name not in keep and worker_processes.stop(settings.home, name)
    ]
    stops_server = not settings.url and SERVER not in keep and private_server.stop(settings.home)
    return [*workers, SERVER] if stops_server else workers

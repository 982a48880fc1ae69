"""The command `down`."""

from __future__ import annotations

from claude_comm.cli import services
from claude_comm.runtime.environment import settings_of_process
from claude_comm.terminal.output import say


def command() -> None:
    """Stop the workers, then the private server.

    Messages stay: the server writes them to its file before it ends. A server that CLAUDE_COMM_URL names is not
    stopped.
    """
    stopped = services.stop(settings_of_process())
    say(f"stopped: {', '.join(stopped)}." if stopped else "nothing was running.")

"""The gateway as a program: `python -m workers.gateway`, for a container or a supervisor.

What `claude-comm gateway` takes as options it reads from the settings `CLAUDE_COMM_GATEWAY_…`. SIGTERM and SIGINT tell
its clients where to go on, and end it with 0. Any number may run beside one another; `/healthz` and `/readyz` say
whether one lives, and whether it can serve.
"""

from __future__ import annotations

import sys

from claude_comm.gateway import serving
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.options import options_of
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import get_logger
from workers.program import program


def run(settings: Settings) -> int:
    """Serves until it is told to stop; the exit code. Raises ConfigurationError."""
    log = get_logger(settings.log_level, worker="gateway")
    options = options_of(settings)
    listening = serving.listen(options.host, options.port)
    address = serving.address_of(listening)
    serving.run(Gateway(settings, options), listening, lambda: log.info("gateway.started", address=address))
    log.info("gateway.stopped")
    return 0


def main() -> int:
    return program(run)


if __name__ == "__main__":
    sys.exit(main())

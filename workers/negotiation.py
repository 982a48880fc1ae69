"""The negotiation worker: decides what modules ask, in a process that may be killed.

Runs as `claude-comm worker negotiation` or `python -m workers.negotiation`. SIGTERM and SIGINT finish the job at
hand. It says that it lives by a heartbeat in the registry; without one, callers decide for themselves.
"""

from __future__ import annotations

import os
import sys

from claude_comm.client.identity import identify
from claude_comm.client.publisher.negotiate import decide
from claude_comm.errors import ConfigurationError
from claude_comm.names import NEGOTIATION_WORKER, Keys
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.negotiation.weigh import weigh
from claude_comm.runtime import jobs
from claude_comm.runtime.heartbeat import Heartbeat, beating
from claude_comm.runtime.sealed_jobs import Decide
from claude_comm.runtime.signals import ended_by_signals
from claude_comm.runtime.worker_processes import NO_JOBS, Report, unheard
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import forward_logging, get_logger
from claude_comm.transport.connect import connect, data_url
from claude_comm.transport.driver import Client
from claude_comm.version import __version__
from workers.program import program


def run(settings: Settings, report: Report = unheard) -> int:
    """Works until it is told to stop; the exit code. Raises ConfigurationError where no server runs jobs."""
    if not settings.runs_jobs:
        raise ConfigurationError(NO_JOBS)
    # RQ sets its own handlers when its loop begins; until then a signal ends the process as cleanly.
    with ended_by_signals():
        _work(settings, report)
    return 0


def _work(settings: Settings, report: Report) -> None:
    log = get_logger(settings.log_level, worker=NEGOTIATION_WORKER)
    forward_logging("rq.worker", log)
    identity = identify(NEGOTIATION_WORKER, settings)
    instance = identity.instance
    url = settings.control_url or data_url(settings)
    with connect(settings, identity.signer) as client:
        heartbeat = Heartbeat(client.run, Keys(settings.namespace).workers, f"{NEGOTIATION_WORKER}/{instance}", log)
        log.info("worker.started", instance=instance, pid=os.getpid(), version=__version__)
        try:
            with beating(heartbeat, log):
                jobs.serve(url, settings.namespace, instance, _decider(settings), log, heartbeat.beat, report)
        finally:
            log.info("worker.stopped", instance=instance)


def _decider(settings: Settings) -> Decide:
    """Questions are answered in a child, which opens a connection of its own when it is first asked."""
    # What the engine imports and keeps when it is first used, the child has from the beginning.
    weigh(Question(producer="a", consumer="b", produced={"type": "object"}, accepted={"required": ["x"]}))
    opened: list[Client] = []

    def decide_question(question: Question) -> Agreement:
        if not opened:
            opened.append(connect(settings, identify(NEGOTIATION_WORKER, settings).signer))
        return decide(opened[0], Keys(settings.namespace), question, decided_by="worker")

    return decide_question


def main() -> int:
    return program(run)


if __name__ == "__main__":
    sys.exit(main())

"""The negotiation worker: weighs what modules ask, in a process that may be killed.

Runs as `claude-comm worker negotiation` or `python -m workers.negotiation`. SIGTERM and SIGINT finish the job at
hand. It says that it lives by a heartbeat in the registry; without one, callers weigh for themselves.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from claude_comm.client.asking import decide
from claude_comm.client.opening import identify, millis
from claude_comm.drive import jobs
from claude_comm.drive.blocking import Links
from claude_comm.drive.configure import settings_of_process
from claude_comm.drive.connect import connect, data_url
from claude_comm.errors import ClaudeCommError, TransportError
from claude_comm.names import NEGOTIATION_WORKER, Keys
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.ops import registry
from claude_comm.ops.registry import HEARTBEAT_MS
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import forward_logging, get_logger


def run(settings: Settings) -> int:
    """Works until it is told to stop; the exit code."""
    log = get_logger(settings.log_level, worker=NEGOTIATION_WORKER)
    forward_logging("rq.worker", log)
    keys = Keys(settings.namespace)
    instance = identify(NEGOTIATION_WORKER, settings).instance
    url = settings.control_url or data_url(settings)
    with connect(settings) as links:
        stop = threading.Event()
        heart = threading.Thread(target=_beat, args=(links, keys, instance, stop), daemon=True)
        heart.start()
        log.info("worker.started", instance=instance, pid=os.getpid())
        try:
            with jobs.connection(url) as opened:
                jobs.worker(opened, settings.namespace, instance, _weigher(settings)).work(logging_level="WARNING")
        finally:
            stop.set()
            heart.join()
            log.info("worker.stopped", instance=instance)
    return 0


def _weigher(settings: Settings) -> jobs.Weigh:
    """Each job runs in a forked process, which opens a connection of its own."""

    def weigh(question: Question) -> Agreement:
        with connect(settings) as links:
            return decide(links, Keys(settings.namespace), question, decided_by="worker")

    return weigh


def _beat(links: Links, keys: Keys, instance: str, stop: threading.Event) -> None:
    member = f"{NEGOTIATION_WORKER}/{instance}"
    while True:
        try:
            links.run(registry.beat(keys.workers, member, now_ms=millis()))
        except TransportError:
            # The next beat tries again; meanwhile callers weigh for themselves.
            logging.getLogger("rq.worker").warning("the server does not answer a heartbeat")
        if stop.wait(HEARTBEAT_MS / 1000):
            break
    try:
        links.run(registry.stop_beating(keys.workers, member))
    except TransportError:
        return


def main() -> int:
    try:
        return run(settings_of_process())
    except ClaudeCommError as error:
        print(f"claude-comm: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

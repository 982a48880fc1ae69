"""The heartbeat of a worker: says in the registry that it lives, for as long as a block of code runs.

Law: a heartbeat that cannot be sent is never the worker's failure: it is logged once, and tried again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from structlog.typing import FilteringBoundLogger

from claude_comm.errors import TransportError
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.ops.registry import HEARTBEAT_MS
from claude_comm.transport.driver import Client


@contextmanager
def beating(client: Client, keys: Keys, worker: str, instance: str, log: FilteringBoundLogger) -> Iterator[None]:
    """Beats as `worker/instance` from a thread of its own, so that a long batch does not look like a death."""
    member, stop = f"{worker}/{instance}", threading.Event()
    heart = threading.Thread(target=_beat, args=(client, keys, member, stop, log), name="heart", daemon=True)
    try:
        # Within the `try`: a signal that ends the process at once must not leave a heartbeat that nobody takes back.
        heart.start()
        yield
    finally:
        stop.set()
        if heart.ident is not None:
            heart.join()
        try:
            client.run(registry.stop_beating(keys.workers, member))
        except TransportError:
            log.warning("worker.heartbeat_left", member=member)


def _beat(client: Client, keys: Keys, member: str, stop: threading.Event, log: FilteringBoundLogger) -> None:
    reached = True
    while True:
        try:
            client.run(registry.beat(keys.workers, member, now_ms=time.time_ns() // 1_000_000))
            reached = True
        except TransportError as error:
            if reached:
                log.warning("worker.heartbeat_failed", error=str(error))
            reached = False
        if stop.wait(HEARTBEAT_MS / 1000):
            return

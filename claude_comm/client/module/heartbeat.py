"""The heart of a running module: it beats, keeps leases, and sends acks that would wait.

Law: it beats until the last handler is done, so that a slow one is not taken for dead while the module ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from claude_comm.client.consumer.consumer import Consumer
from claude_comm.client.identity import Identity
from claude_comm.delivery.lease import RENEW_FRACTION
from claude_comm.errors import TransportError
from claude_comm.runtime.heartbeat import Heartbeat
from claude_comm.transport.driver import Client

# How long acks may wait for the rest of their batch: what slow handlers have done is not done again after a crash.
ACK_WITHIN_S = 0.2


class Heart:
    """A thread beside the handlers."""

    def __init__(
        self, identity: Identity, client: Client, consumer: Consumer, log: FilteringBoundLogger, lease_s: float
    ) -> None:
        self._consumer, self._log = consumer, log
        member = f"{identity.module}/{identity.instance}"
        self.heartbeat = Heartbeat(client.run, identity.keys.instances, member, log)
        self._renew_every_s = lease_s * RENEW_FRACTION
        self._prompted = threading.Event()
        self._ended = False
        self._tend: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="claude-comm heart", daemon=True)

    def start(self, tend: Callable[[], None]) -> None:
        """`tend` is called at each turn."""
        self._tend = tend
        self._thread.start()

    def prompt(self) -> None:
        """No handler has anything to do: acks need not wait for more."""
        if self._consumer.unsent:
            self._prompted.set()

    def stop(self) -> None:
        self._ended = True
        self._prompted.set()
        self._thread.join()

    def _run(self) -> None:
        tick_s = min(ACK_WITHIN_S, self._renew_every_s)
        renew_at = time.monotonic() + self._renew_every_s
        while not self._ended:
            now = time.monotonic()
            try:
                self.heartbeat.beat_if_due()
                if now >= renew_at:
                    self._consumer.renew()
                    renew_at = now + self._renew_every_s
                self._consumer.flush()
                self._tend()
            except TransportError as error:
                self._log.warning("server.unreachable", error=str(error))
            self._prompted.wait(tick_s)
            self._prompted.clear()

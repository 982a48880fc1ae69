"""The upkeep of a running module: its heartbeat, the leases of its deliveries, and acks that would wait.

Law: it goes on until the last handler has ended, so that a slow one is not taken for dead while the module stops.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.identity import Identity
from claude_comm.client.module.slow_deliveries import SlowDeliveries
from claude_comm.delivery.lease import RENEW_FRACTION
from claude_comm.errors import TransportError
from claude_comm.ops.heartbeats import HEARTBEAT_MS
from claude_comm.runtime.heartbeat import Heartbeat
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import EventLog
from claude_comm.transport.driver import Client

# How long acks may wait for the rest of their batch, counted from the first of it: what slow handlers have done is not
# done again after a crash. Messages that come one by one share an ack and an event, and so do up to `GATHER`.
ACK_WITHIN_S, GATHER = 0.2, 20
# And answers, for which somebody waits: those of quick handlers travel together, and none waits for a slow one.
ANSWER_WITHIN_S = 0.002
# What is due within this time is due: waking once more for it would cost more.
_SOON_S, _BARELY_S = 0.005, 0.000_2


class Upkeep:
    """A thread beside the handlers. `look` is called as often as a heartbeat is sent."""

    def __init__(
        self,
        identity: Identity,
        client: Client,
        subscription: Subscription,
        log: EventLog,
        lease_s: float,
        outage: Outage,
        look: Callable[[], None],
    ) -> None:
        self._identity, self._client, self._subscription, self._outage = identity, client, subscription, outage
        self._look = look
        member = f"{identity.module}/{identity.instance}"
        self.heartbeat = Heartbeat(client.run, identity.keys.instances, member, log)
        self._renew_every_s = lease_s * RENEW_FRACTION
        self._ack_within_s = min(ACK_WITHIN_S, self._renew_every_s)
        self._prompted = threading.Event()
        self._ended = False
        # When acks or answers are to be sent (monotonic seconds): whether that is soon, and answers of any age then.
        self._due = math.inf
        self._soon = self._at_once = False
        self._maintain: Callable[[], None] = lambda: None
        self._slow = SlowDeliveries(identity, subscription.in_flight)
        self._thread = threading.Thread(target=self._run, name="claude-comm upkeep", daemon=True)

    def start(self, maintain: Callable[[], None]) -> None:
        """`maintain` is called at each turn."""
        self._maintain = maintain
        self._thread.start()

    def prompt(self) -> None:
        """No handler has anything to do: acks need not wait for many more, and answers for nothing."""
        held = self._subscription.in_flight
        if held.has_acks():
            self._at_once = held.answer_bytes > 0
            self._within(0.0 if self._at_once else self._ack_within_s)

    def prompt_soon(self) -> None:
        """There are answers to send, which the next read may carry."""
        # Said for every answer, and once is enough.
        if not self._soon:
            self._soon = True
            self._within(ANSWER_WITHIN_S)

    def _within(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        if due < self._due:
            self._due = due
            self._prompted.set()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._ended = True
        self._prompted.set()
        self._thread.join()

    def _run(self) -> None:
        renew_at = time.monotonic() + self._renew_every_s
        look_at = time.monotonic() + HEARTBEAT_MS / 1000
        while not self._ended:
            now = time.monotonic()
            try:
                self.heartbeat.beat_if_due()
                if now >= renew_at:
                    self._client.run(self._subscription.renewing())
                    renew_at = now + self._renew_every_s
                self.settle_if_due()
                self._maintain()
                self._client.run(self._slow.telling())
                if now >= look_at:
                    self._look()
                    look_at = now + HEARTBEAT_MS / 1000
            except TransportError as error:
                self._outage.met(error)
            self._wait(now + self._ack_within_s)

    def settle_if_due(self) -> None:
        """Sends the acks, if the first of them has waited for its time, or an answer among them has. One that was to be
        sent by now was most likely carried by a read: those that are here have time."""
        held, at_once = self._subscription.in_flight, self._at_once
        self._at_once = False
        within_s, soon_s = (ANSWER_WITHIN_S, _BARELY_S) if held.answer_bytes else (self._ack_within_s, _SOON_S)
        left_s = within_s - held.oldest_ack_s()
        if left_s > soon_s and not at_once:
            self._within(left_s)
        else:
            self._client.run(self._subscription.settling())

    def _wait(self, until: float) -> None:
        """Until then, or until something is due."""
        while not self._ended and (left := min(until, self._due) - time.monotonic()) > 0:
            self._prompted.wait(left)
            self._prompted.clear()
        self._due, self._soon = math.inf, False

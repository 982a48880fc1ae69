"""Deliveries that a module has had for a while: told once each, so that who watches sees that they are being handled.

Law: what ends within a second costs nothing here; its end tells everything.
"""

from __future__ import annotations

import time

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.in_flight import InFlight
from claude_comm.client.identity import Identity, micros
from claude_comm.effects import Operation
from claude_comm.ops import consume
from claude_comm.progress.events import Delivered

# How often is looked; what was there the last time too has been had for that long at the least.
SLOW_S = 1.0
# Of one event, which is an envelope.
_MOST = 500


class SlowDeliveries:
    """Which deliveries of one run were there at the last look, and which of them are told."""

    def __init__(self, identity: Identity, in_flight: InFlight) -> None:
        self._identity, self._in_flight = identity, in_flight
        self._on = identity.settings.telemetry_of(identity.module) == "full"
        # Since when each is known to be there, in microseconds.
        self._held: dict[Delivery, int] = {}
        self._told: set[Delivery] = set()
        self._look_at = 0.0

    def telling(self) -> Operation[None]:
        """Looks, if that is due, and tells what is new."""
        now_s = time.monotonic()
        if not self._on or now_s < self._look_at:
            return
        self._look_at = now_s + SLOW_S
        held, identity, now_us = self._in_flight.deliveries(), self._identity, micros()
        slow = [delivery for delivery in held if delivery in self._held and delivery not in self._told]
        self._held = {delivery: self._held.get(delivery, now_us) for delivery in held}
        self._told = self._told.intersection(self._held).union(slow)
        for start in range(0, len(slow), _MOST):
            part = [delivery.settled(self._held[delivery]) for delivery in slow[start : start + _MOST]]
            yield from consume.tell(identity.keys.events(identity.module), identity.event(Delivered(part)))

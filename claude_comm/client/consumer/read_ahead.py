# Written by tools/twins.py from async_read_ahead.py: edit that file.
"""Reads begun ahead: the server works on the next read while this process handles the last one.

Law: at most two reads are begun, and their deliveries are handed out in the order of the stream. Where one read
fails, what the next one brought is dropped and read again: it comes after the deliveries of the first.
"""

from __future__ import annotations

import time
from collections import deque

from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.errors import TransportError
from claude_comm.transport.driver import Begun, Client

MAX_BEGUN = 2
# How long a read lasts at most while the bounds are reached: another thread or task may end deliveries.
BOUND_WAIT_S = 0.05


class ReadAhead:
    """The begun reads of one consumer, and the deliveries that they brought and nobody has taken yet."""

    def __init__(self, client: Client, subscription: Subscription) -> None:
        self._client, self._subscription = client, subscription
        self._begun: deque[Begun[list[Delivery]]] = deque()
        self._arrived: list[Delivery] = []

    def begin(self, most: int) -> bool:
        """Requests up to `most` entries that are in the streams already, and sends the acks; False when nothing may be
        requested ahead now.

        A second read is sent behind the first: the server works on the one while this process works on the other. Where
        their replies would stand in each other's way, it is made meanwhile, and sent when the first has arrived, before
        its entries are decoded.
        """
        begun = self._begun
        if len(begun) == MAX_BEGUN or self._client.data.reach != "server":
            return False
        reading = self._subscription.reading_ahead(most)
        if reading is None:
            return False
        behind, abreast = begun[-1] if begun else None, self._subscription.reads_abreast()
        try:
            begun.append(self._client.begin(reading, behind, abreast=abreast))
        except TransportError:
            if behind is None or abreast or behind.land():
                raise
            # The deliveries that it was to bring come first.
            return False
        return True

    def take(self, most: int | None = None) -> list[Delivery]:
        """Up to `most` deliveries of the oldest begun read that brought any."""
        while self._begun and not self._arrived:
            self._arrived = self._finish_oldest()
        if most is None:
            taken, self._arrived = self._arrived, []
        else:
            taken, self._arrived = self._arrived[:most], self._arrived[most:]
        return taken

    def take_all(self) -> list[Delivery]:
        """Every delivery that was requested and is not taken yet."""
        while self._begun:
            self._arrived += self._finish_oldest()
        return self.take()

    def read(self, wait_s: float, most: int | None = None) -> list[Delivery]:
        """The next deliveries, waited for; empty when none came within `wait_s` seconds, or at the bounds.

        Call `take` before it: deliveries that were requested ahead are older.
        """
        deliveries = self._client.run(self._subscription.reading(int(wait_s * 1000), most))
        if not deliveries and self._subscription.full():
            time.sleep(min(wait_s, BOUND_WAIT_S))
        return deliveries

    def give_back(self) -> None:
        """Gives back every delivery that was not taken: no handler has seen it, so it was no attempt."""
        unseen = self.take_all()
        if unseen:
            self._client.run(self._subscription.giving_back(unseen))

    def _finish_oldest(self) -> list[Delivery]:
        """The deliveries of the oldest begun read. A task that is cancelled while it waits leaves the read begun."""
        self._begun[0].land()
        try:
            return self._begun.popleft().finish()
        except BaseException:
            self._drop_all()
            raise

    def _drop_all(self) -> None:
        while self._begun:
            self._begun.popleft().drop()

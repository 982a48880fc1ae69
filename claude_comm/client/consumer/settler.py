"""Sending the acks that one consumer has gathered, with their answers and their event.

Law: an ack whose sending failed is kept and sent again. What goes on along the routes of pipelines goes first, all of
it in one exchange, and is acked once the server has it: a process that dies between the two handles it again, and sends
the same message under the same id. On a cluster the answers go first, too: a request is acked once its answer is on the
requester's node. Whoever writes events has told of it within `TELL_EVERY_S`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from claude_comm.client.consumer.forwarder import Forwarder
from claude_comm.client.consumer.in_flight import Ack, InFlight
from claude_comm.client.identity import Identity
from claude_comm.effects import Operation
from claude_comm.errors import TransportError
from claude_comm.ops import consume as ops
from claude_comm.ops import news
from claude_comm.ops.consume import Entry, Reader, Settlement, SettlementOutcome
from claude_comm.telemetry.conventions import ACK
from claude_comm.telemetry.logs import get_logger
from claude_comm.telemetry.settlements import settling

if TYPE_CHECKING:
    from claude_comm.telemetry.tracing import Telemetry

T = TypeVar("T")


class Settler:
    """Sends the acks in `in_flight`. `refused`: whether the server refused the last ones, which are still there."""

    def __init__(
        self, identity: Identity, in_flight: InFlight, telemetry: Telemetry | None, *, on_cluster: bool
    ) -> None:
        self._identity, self._in_flight, self._on_cluster = identity, in_flight, on_cluster
        self._forwarder, self._telemetry = Forwarder(identity), telemetry
        self._log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
        self.refused = False
        # When to tell next that the events are written to, in seconds of the monotonic clock.
        self.tell_at = 0.0

    def settle(self) -> Operation[None]:
        """Sends all acks, one batch a stream. Raises what refused one."""
        while self._in_flight.has_acks():
            yield from self.tell()
            with self._in_flight.sending() as acks:
                while acks:
                    reader = acks[0][0].reader
                    mine = yield from self._answered([ack for ack in acks if ack[0].reader == reader])
                    settle = self._told(mine, ops.settle(reader, self._settlement(mine))) if mine else None
                    refusal = self._refusal((yield from settle)) if settle is not None else None
                    if refusal is not None:
                        raise refusal
                    acks[:] = [ack for ack in acks if ack[0].reader != reader]
        self.refused = False

    def settle_and_read(
        self, reader: Reader, *, count: int, block_ms: int, several: bool = False, at_once: bool = False
    ) -> Operation[list[Entry]]:
        """Sends the acks and reads new entries in one round trip, in a second one before it what goes on along routes;
        `at_once`: that waits, with its acks. Refused acks are kept, and `settle` sends them first; their refusal is
        raised where no entry came."""
        with self._in_flight.sending(staying=at_once) as acks:
            settled = yield from self._answered(acks)
            exchange = ops.settle_and_read(
                reader, self._settlement(settled), count=count, block_ms=block_ms, several=several
            )
            outcome, entries = yield from self._told(settled, exchange)
            refusal = self._refusal(outcome)
            self.refused = refusal is not None
            if refusal is None:
                acks.clear()
        if not isinstance(entries, list):
            raise entries
        if refusal is not None and not entries:
            raise refusal
        return entries

    def tell(self) -> Operation[None]:
        """Says that this module's events are written to, unless that was said lately."""
        if time.monotonic() >= self.tell_at:
            yield from news.tell(self._identity.keys, [self._identity.keys.events(self._identity.module)])
            self.announced()

    def announced(self) -> None:
        """That the events are written to has just been said."""
        self.tell_at = time.monotonic() + news.TELL_EVERY_S

    def _told(self, acks: list[Ack], sending: Operation[T]) -> Operation[T]:
        """The same, told of where this process tells of its messages."""
        if self._telemetry is None or not acks:
            return sending
        return settling(self._telemetry, ACK, [ack[0].envelope for ack in acks], sending)

    def _answered(self, acks: list[Ack]) -> Operation[list[Ack]]:
        """The acks that may be sent. On a cluster answers go first, and what was not answered because the requester's
        node is away is not acked: it is handed out again when its lease is over."""
        acks = yield from self._passed_on(acks)
        if not self._on_cluster or all(ack[3] is None for ack in acks):
            return acks
        outcome, over = yield from ops.answer_first(self._in_flight.settlement(acks))
        self._refusal(outcome)
        taken = iter(over)
        return self._without(acks, [ack for ack in acks if ack[3] is not None and not next(taken)])

    def _passed_on(self, acks: list[Ack]) -> Operation[list[Ack]]:
        """The acks of what went on along its route; what was refused there is handed out again later."""
        posts = [post for ack in acks for post in ack[4]] if self._in_flight.sent_on else ()
        if not posts:
            return acks
        refusals = iter((yield from self._forwarder.send(posts)))
        refused = []
        for ack in acks:
            refusal = next(filter(None, [next(refusals) for _ in ack[4]]), None)
            if refusal is not None:
                self._log.warning("route.refused", id=ack[0].envelope.id, error=str(refusal))
                refused.append(ack)
        return self._without(acks, refused)

    def _without(self, acks: list[Ack], dropped: list[Ack]) -> list[Ack]:
        for ack in dropped:
            self._in_flight.undo(ack)
        return [ack for ack in acks if ack not in dropped] if dropped else acks

    def _settlement(self, acks: list[Ack]) -> Settlement:
        return self._in_flight.settlement(acks, answering=not self._on_cluster)

    def _refusal(self, outcome: SettlementOutcome) -> TransportError | None:
        """What refused a settlement; answers that were refused for good are logged."""
        for refusal in outcome.unanswered:
            self._log.warning("reply.refused", error=str(refusal))
        return outcome.refused

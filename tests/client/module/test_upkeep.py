"""Acks of lone messages wait for those of the next ones, and no longer than they may."""

from __future__ import annotations

import math
import time
from typing import Any, cast

import pytest

from claude_comm import Settings
from claude_comm.client.consumer import in_flight
from claude_comm.client.consumer.delivery import Delivery
from claude_comm.client.consumer.options import Options
from claude_comm.client.consumer.subscription import Subscription
from claude_comm.client.identity import identify
from claude_comm.client.module.upkeep import ACK_WITHIN_S, ANSWER_WITHIN_S, Upkeep
from claude_comm.envelope import Envelope
from claude_comm.ops.consume import Entry
from claude_comm.ops.replies import EncodedAnswer
from claude_comm.runtime.outage import Outage
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.driver import Client

NOW_NS = 1_790_000_000_000_000_000


class Server:
    """Counts what is run."""

    def __init__(self) -> None:
        self.settled = 0

    def run(self, operation: Any) -> None:
        operation.close()
        self.settled += 1


class Upheld:
    """The upkeep of one consumer, by a clock that is set."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns, self.server = NOW_NS, Server()
        monkeypatch.setattr(in_flight, "time_ns", lambda: self.now_ns)
        log = get_logger("error")
        options = Options(batch=100, lease_s=60, prefetch_bytes=1024)
        self.subscription = Subscription("sink", (), settings, None, options)
        self.upkeep = Upkeep(
            identify("sink", settings), cast(Client, self.server), self.subscription, log, 60, Outage(log), lambda: None
        )

    def ack(self, answer: EncodedAnswer | None = None) -> None:
        envelope = Envelope(id="1", source="a", target="sink", time=1)
        delivery = Delivery(envelope, Entry("inbox", "1-0", b""), self.subscription.readers[0])
        self.subscription.in_flight.add([delivery])
        self.subscription.in_flight.ack(delivery, answer)

    def settled_after(self, seconds: float) -> bool:
        """Whether a turn that much later sends the acks."""
        self.now_ns += int(seconds * 1e9)
        before = self.server.settled
        self.upkeep.settle_if_due()
        return self.server.settled > before


@pytest.fixture
def upheld(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Upheld:
    return Upheld(settings, monkeypatch)


def test_acks_are_sent_when_the_first_has_waited_for_its_time(upheld: Upheld) -> None:
    """A turn that comes sooner leaves them for the others of their batch: each event costs as much as seven rows."""
    upheld.ack()
    assert not upheld.settled_after(0.75 * ACK_WITHIN_S)
    upheld.ack()
    assert upheld.settled_after(0.25 * ACK_WITHIN_S)


def test_an_answer_waits_a_moment_for_those_of_quick_handlers(upheld: Upheld) -> None:
    """A turn is due for the first of them, which a read has carried by then: it does not cut those in two that are
    made now."""
    upheld.ack(EncodedAnswer("replies", b"yes"))
    assert not upheld.settled_after(0.75 * ANSWER_WITHIN_S)
    upheld.ack(EncodedAnswer("replies", b"no"))
    assert upheld.settled_after(0.25 * ANSWER_WITHIN_S)


def test_an_answer_waits_for_nobody_where_no_handler_has_anything_to_do(upheld: Upheld) -> None:
    upheld.ack(EncodedAnswer("replies", b"yes"))
    upheld.upkeep.prompt()
    assert upheld.settled_after(0)
    upheld.subscription.in_flight._acks.clear()
    upheld.ack(EncodedAnswer("replies", b"no"))
    assert not upheld.settled_after(0)


def test_an_answer_that_is_left_is_due_again(upheld: Upheld) -> None:
    upheld.ack(EncodedAnswer("replies", b"yes"))
    upheld.upkeep.prompt_soon()
    upheld.upkeep._wait(0)
    assert upheld.upkeep._due == math.inf
    assert not upheld.settled_after(0.5 * ANSWER_WITHIN_S)
    assert upheld.upkeep._due < time.monotonic() + ANSWER_WITHIN_S


def test_acks_are_sent_where_the_clock_was_set_back(upheld: Upheld) -> None:
    """Else they would wait until it shows the time of the first again."""
    upheld.ack()
    assert upheld.settled_after(-3600)

"""A consumer under chaos: records each message that it handled, before the delivery is acked.

`python -m tests.chaos.consumer NAME RECORD` runs a `Module`; with `--instance`, a `Consumer` of that fixed instance;
with `--topic`, one that reads that topic as well. The control `ack-before-handling` acks first.
"""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path
from typing import Any

from claude_comm import Consumer, Context, Envelope, Module
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.errors import DecodeError, TransportError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from tests.chaos import tamper
from tests.chaos.record import DELAYED, FLAKY, PLAIN, Mark, Recorder, check

ACK_FIRST = "ack-before-handling"
# A delivery that a killed instance has left is claimed after this long: longer than any stop.
LEASE_S = 2.0
# A message that fails at first, and again in each process that sees it for the first time.
PATIENCE = RetryPolicy(attempts=50, first_wait_s=0.05, factor=1.0)


class Handling:
    """What this process has seen, and its record."""

    def __init__(self, record: Path, slow_s: float) -> None:
        self._record, self._slow_s = Recorder(record), slow_s
        self._failed: set[str] = set()

    def handle(self, mark: Mark, envelope: Envelope) -> None:
        if self._slow_s:
            time.sleep(self._slow_s)
        if mark.check != check(envelope.source, envelope.target, mark.number):
            self._record.line("B", envelope.source, envelope.target, mark.number)
            return
        if envelope.type == FLAKY and envelope.id not in self._failed:
            self._failed.add(envelope.id)
            self._record.line("F", envelope.source, envelope.target, mark.number)
            raise RuntimeError("fails at first")
        at_ns = time.monotonic_ns()
        self._record.line("H", envelope.source, envelope.target, envelope.type, mark.number, at_ns)


def run_module(name: str, settings: Settings, handling: Handling) -> int:
    module = Module(name, settings=settings, retry=PATIENCE, lease_s=LEASE_S)

    def handle(mark: Mark, context: Context) -> None:
        assert context.envelope is not None
        handling.handle(mark, context.envelope)

    for type_ in (PLAIN, FLAKY, DELAYED):
        module.handles(type_)(handle)
    return module.run()


def run_consumer(given: argparse.Namespace, settings: Settings, handling: Handling) -> int:
    """The same by hand, over the `Consumer`."""
    topics = [given.topic] if given.topic else []
    stop = Stop()
    consumer = Consumer(
        given.name, topics=topics, settings=settings, instance=given.instance, batch=given.batch, lease_s=LEASE_S
    )
    while not stop.asked:
        try:
            for delivery in consumer.read(wait_s=0.25):
                if stop.asked:
                    break
                _deliver(consumer, delivery, handling, acks_first=given.control == ACK_FIRST)
        except TransportError:
            time.sleep(0.05)
    consumer.close()
    return 0


def _deliver(consumer: Consumer, delivery: Any, handling: Handling, *, acks_first: bool) -> None:
    try:
        payload = delivery.payload(Mark)
    except DecodeError as error:
        consumer.fail(delivery, str(error))
        return
    if acks_first:
        consumer.ack(delivery)
        consumer.flush()
    handling.handle(payload, delivery.envelope)
    consumer.ack(delivery)


class Stop:
    """Set by SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("record", type=Path)
    parser.add_argument("--instance")
    parser.add_argument("--topic")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--slow-ms", type=float, default=0.0)
    tamper.add_options(parser)
    given = parser.parse_args()
    tamper.apply(given)
    settings, handling = settings_of_process(), Handling(given.record, given.slow_ms / 1000)
    if given.instance or given.topic:
        return run_consumer(given, settings, handling)
    return run_module(given.name, settings, handling)


if __name__ == "__main__":
    tamper.end(main)

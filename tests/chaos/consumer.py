"""A consumer under chaos: records each message that it handled, before the delivery is acked.

`python -m tests.chaos.consumer NAME RECORD` runs a `Module`, with `--bare` a `Consumer` in a loop of its own;
`--instance` fixes its name, `--topic` lets it read that topic as well, `--coroutine` lets it handle in one.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from claude_comm import Consumer, Context, Envelope, Module
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.errors import DecodeError, TransportError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from tests.chaos import tamper
from tests.chaos.record import DELAYED, FLAKY, PLAIN, Mark, Recorder, check

ACK_FIRST, BACKWARDS, STANDS_STILL = tamper.OWN
# A delivery that a killed instance has left is claimed after this long: longer than any stop.
LEASE_S = 2.0
# A message that fails at first, and again in each process that sees it for the first time.
PATIENCE = RetryPolicy(attempts=50, first_wait_s=0.05, factor=1.0)


class Handling:
    """What this process has seen, and its record."""

    def __init__(self, record: Path, slow_s: float, control: str) -> None:
        self._record, self._slow_s, self._control = Recorder(record), slow_s, control
        self._count = 0
        self._failed: set[str] = set()

    def handle(self, mark: Mark, envelope: Envelope) -> None:
        self._count += 1
        if self._control == STANDS_STILL and self._count > 1:
            # Ends when it is asked to, so that a run does not wait for it.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            threading.Event().wait()
        if self._control == ACK_FIRST and self._count > 1:
            tamper.kill_oneself()
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


def run_module(given: argparse.Namespace, settings: Settings, handling: Handling) -> int:
    topics = [given.topic] if given.topic else []
    module = Module(
        given.name, topics=topics, settings=settings, instance=given.instance, retry=PATIENCE, lease_s=LEASE_S
    )

    def handle(mark: Mark, context: Context) -> None:
        assert context.envelope is not None
        handling.handle(mark, context.envelope)

    async def handle_in_coroutine(mark: Mark, context: Context) -> None:
        await asyncio.sleep(0)
        handle(mark, context)

    for type_ in (PLAIN, FLAKY, DELAYED):
        module.handles(type_)(handle_in_coroutine if given.coroutine else handle)
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
            read = consumer.read(wait_s=0.25)
            for delivery in reversed(read) if given.control == BACKWARDS else read:
                if stop.asked:
                    break
                _deliver(consumer, delivery, handling, acks_first=given.control == ACK_FIRST)
        except TransportError:
            time.sleep(0.05)
    with suppress(TransportError):
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
    parser.add_argument("--bare", action="store_true")
    parser.add_argument("--coroutine", action="store_true")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--slow-ms", type=float, default=0.0)
    tamper.add_options(parser)
    given = parser.parse_args()
    tamper.apply(given)
    settings, handling = settings_of_process(), Handling(given.record, given.slow_ms / 1000, given.control)
    run = run_consumer if given.bare else run_module
    return run(given, settings, handling)


if __name__ == "__main__":
    sys.exit(main())

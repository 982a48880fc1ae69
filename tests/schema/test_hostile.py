"""Schemas made to hurt end in time, in a bounded memory, and leave the caller's other threads alone."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import check
from tests.support.schemas.hostile import hostile

LONG = os.environ.get("COMM_LONG") == "1"
COUNT, BUDGET_MS = (200, 2_000) if LONG else (50, 250)
SEED = int(os.environ.get("COMM_SEED", "3"))
# The last step, whose length no budget knows.
SLACK_MS = 150
MEMORY_KIB = 512 * 1024


def test_hostile_schemas_are_answered_in_time_and_memory() -> None:
    resource = pytest.importorskip("resource")
    for name, (produced, accepted) in hostile(COUNT, SEED):
        # The processor's time: what other processes take of the machine is not the engine's.
        start = time.thread_time()
        with contextlib.suppress(SchemaError):
            check(produced, accepted, budget_ms=BUDGET_MS)
        took_ms = (time.thread_time() - start) * 1_000
        assert took_ms <= 2 * BUDGET_MS + SLACK_MS, name
    if LONG:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEMORY_KIB


def test_another_thread_of_the_caller_keeps_running() -> None:
    worst, stop = [0.0], threading.Event()

    def tick() -> None:
        last = time.monotonic()
        while not stop.wait(0.005):
            now = time.monotonic()
            worst[0], last = max(worst[0], now - last), now

    other = threading.Thread(target=tick)
    other.start()
    try:
        for _, (produced, accepted) in hostile(25, SEED + 1):
            try:
                check(produced, accepted, budget_ms=BUDGET_MS)
            except SchemaError:
                continue
    finally:
        stop.set()
        other.join()
    assert worst[0] < 1.0

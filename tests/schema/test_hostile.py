"""Schemas made to hurt end in time, in a bounded memory, and leave the caller's other threads alone."""

from __future__ import annotations

import contextlib
import os
import threading
import time

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import check
from claude_comm.schema.containment.check import check as pure_check
from tests.support.clocks import TIMES, EndingClock, processor
from tests.support.schemas.hostile import hostile

LONG = os.environ.get("COMM_LONG") == "1"
COUNT, BUDGET_MS = (200, 2_000) if LONG else (50, 250)
SEED = int(os.environ.get("COMM_SEED", "3"))
MEMORY_KIB = 512 * 1024
# After the first look that is too late: the one that ends the check, and those of what it was in.
LAST_LOOKS = 3
# What another thread may have to wait for a step that holds the interpreter, in time of the processor.
STEP_MS = 100


@pytest.mark.long
def test_hostile_schemas_are_answered_in_time_and_memory() -> None:
    resource = pytest.importorskip("resource")
    for name, (produced, accepted) in hostile(COUNT, SEED):
        with processor(BUDGET_MS, name), contextlib.suppress(SchemaError):
            check(produced, accepted, budget_ms=BUDGET_MS)
    if LONG:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MEMORY_KIB


def test_a_check_whose_time_is_over_ends_at_its_next_look_at_the_clock() -> None:
    ended = 0
    for looks in (1, 2, 5, 20, 80):
        for name, (produced, accepted) in hostile(25, SEED + 2):
            clock = EndingClock(looks)
            with contextlib.suppress(SchemaError):
                pure_check(produced, accepted, budget_ms=BUDGET_MS, clock=clock)
            assert clock.after <= LAST_LOOKS, name
            ended += clock.after > 0
    assert ended > 50


def test_another_thread_of_the_caller_keeps_running() -> None:
    worst, stop = [0.0], threading.Event()

    def tick() -> None:
        last = time.process_time()
        while not stop.wait(0.005):
            now = time.process_time()
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
    assert worst[0] * 1_000 < TIMES * STEP_MS

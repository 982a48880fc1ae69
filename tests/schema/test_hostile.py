"""Schemas made to hurt end in time, in a bounded memory, and leave the caller's other threads alone."""

from __future__ import annotations

import contextlib
import os
from functools import partial

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import check
from claude_comm.schema.containment.check import check as pure_check
from tests.support.clocks import TIMES, EndingClock, longest_hold_ms, processor
from tests.support.schemas.hostile import hostile

LONG = os.environ.get("COMM_LONG") == "1"
COUNT, BUDGET_MS = (200, 2_000) if LONG else (50, 250)
SEED = int(os.environ.get("COMM_SEED", "3"))
MEMORY_KIB = 512 * 1024
# After the first look that is too late: the one that ends the check, and those of what it was in.
LAST_LOOKS = 4
# What another thread may have to wait for a step that holds the interpreter, in time of the processor.
STEP_MS = 30
TRIES = 5


def ask(produced: object, accepted: object) -> None:
    with contextlib.suppress(SchemaError):
        check(produced, accepted, budget_ms=BUDGET_MS)  # type: ignore[arg-type]


@pytest.mark.long
@pytest.mark.usefixtures("timed")
def test_hostile_schemas_are_answered_in_time_and_memory() -> None:
    resource = pytest.importorskip("resource")
    for name, (produced, accepted) in hostile(COUNT, SEED):
        with processor(BUDGET_MS, name):
            ask(produced, accepted)
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
    """A long step is long each time; a thread that was not scheduled soon is another one at the next try."""
    for name, (produced, accepted) in hostile(25, SEED + 1):
        work = partial(ask, produced, accepted)
        assert any(longest_hold_ms(work) < TIMES * STEP_MS for _ in range(TRIES)), name


def test_a_long_step_in_c_is_seen_at_every_try() -> None:
    """What the test above would see, if a check had such a step."""
    many = 5_000_000
    longest = min(longest_hold_ms(lambda: sum(range(many))) for _ in range(2))
    assert longest > 3 * min(longest_hold_ms(lambda: [sum(range(many // 100)) for _ in range(100)]) for _ in range(3))

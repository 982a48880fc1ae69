"""How a module ends: what runs is finished and acked, the rest is given back as if it had not been read."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claude_comm import Module, Settings
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops.pending import HEAP
from claude_comm.transport.driver import Client
from tests.support.modules import collector, running
from tests.support.streams import leases_ms, pending, publish, rows
from tests.support.waiting import PATIENCE_S, wait_until

# Longer than any test waits.
ENDLESS_S = 10 * PATIENCE_S
# A module as a program: what it handles goes to a file, a line at the start and a line at the end of each. A handler
# goes on until the module is told to end, or for ever.
PROGRAM = """
import asyncio, sys, threading, time
from claude_comm import Module
module = Module("sink", **{options})
out = open({out!r}, "a", buffering=1)
def plain(payload: int) -> None:
    out.write(f"begin {{payload}}\\n")
    while {endless} or not module._runner.prefetcher.closed:
        time.sleep(0.01)
    out.write(f"end {{payload}}\\n")
async def asynchronous(payload: int) -> None:
    out.write(f"begin {{payload}}\\n")
    try:
        while {endless} or not module._runner.prefetcher.closed:
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        out.write(f"cancelled {{payload}}\\n")
        raise
    out.write(f"end {{payload}}\\n")
module.handles()({handler})
sys.exit(module.run())
"""


class Program:
    """A running module, and what it wrote."""

    def __init__(self, process: subprocess.Popen[str], out: Path) -> None:
        self.process, self._out = process, out

    def lines(self, word: str) -> list[int]:
        found = (line.split() for line in self._out.read_text().splitlines())
        return [int(number) for said, number in found if said == word]

    def ended(self, number: int) -> tuple[int, str]:
        """Sends the signal; the exit code, and what it logged."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, errors


@pytest.fixture
def program(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Program]]:
    with _programs(environ, tmp_path) as start:
        yield start


@contextmanager
def _programs(environ: dict[str, str], folder: Path) -> Iterator[Callable[..., Program]]:
    started: list[subprocess.Popen[str]] = []

    def start(handler: str = "plain", *, endless: bool = True, **options: object) -> Program:
        out = folder / f"out{len(started)}"
        out.touch()
        text = PROGRAM.format(options=options, out=str(out), endless=endless, handler=handler)
        process = subprocess.Popen([sys.executable, "-c", text], env=environ, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return Program(process, out)

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.communicate()


# Every kind of handler with one worker and with several; two of the four in every run.
KINDS = [
    ("plain", 1),
    ("asynchronous", 3),
    pytest.param("plain", 3, marks=pytest.mark.long),
    pytest.param("asynchronous", 1, marks=pytest.mark.long),
]


@pytest.mark.parametrize(("kind", "hands"), KINDS)
def test_on_sigterm_what_runs_is_finished_and_acked_and_the_rest_is_given_back_uncounted(
    settings: Settings, client: Client, keys: Keys, program: Callable[..., Program], kind: str, hands: int
) -> None:
    publish(settings, "sink", *range(10))
    module = program(kind, endless=False, concurrency=hands)
    wait_until(lambda: len(module.lines("begin")) == hands)
    assert module.ended(signal.SIGTERM)[0] == 0
    assert sorted(module.lines("end")) == sorted(module.lines("begin")) == list(range(hands))
    assert rows(client, keys, "sink") == [(HEAP, 0)] * (10 - hands)
    again, seen = collector(settings, int)
    with running(again):
        wait_until(lambda: len(seen) == 10 - hands)
    assert sorted(seen) == list(range(hands, 10))


@pytest.mark.parametrize(("kind", "hands"), KINDS)
def test_a_handler_that_outlives_the_deadline_is_left_and_its_message_stays_leased(
    settings: Settings, client: Client, keys: Keys, program: Callable[..., Program], kind: str, hands: int
) -> None:
    publish(settings, "sink", *range(5))
    module = program(kind, concurrency=hands, drain_s=0.5, instance="late")
    wait_until(lambda: len(module.lines("begin")) == hands)
    code, log = module.ended(signal.SIGTERM)
    assert (code, log.count("delivery.abandoned")) == (1, hands)
    assert module.lines("end") == []
    assert sorted(rows(client, keys, "sink")) == sorted([("late", 1)] * hands + [(HEAP, 0)] * (5 - hands))


def test_a_second_signal_ends_at_once(settings: Settings, program: Callable[..., Program]) -> None:
    publish(settings, "sink", 1)
    module = program(drain_s=ENDLESS_S)
    wait_until(lambda: len(module.lines("begin")) == 1)
    module.process.send_signal(signal.SIGTERM)
    # It still runs, to finish what it began.
    with pytest.raises(subprocess.TimeoutExpired):
        module.process.wait(1)
    assert module.ended(signal.SIGTERM)[0] == -signal.SIGTERM


def test_a_lease_is_kept_until_the_last_handler_is_done(
    settings: Settings, client: Client, keys: Keys, program: Callable[..., Program]
) -> None:
    """The module ends for longer than its lease."""
    publish(settings, "sink", 1, 2)
    module = program(lease_s=0.3, drain_s=ENDLESS_S)
    wait_until(lambda: len(module.lines("begin")) == 1)
    module.process.send_signal(signal.SIGTERM)
    wait_until(lambda: (HEAP, 0) in rows(client, keys, "sink"))
    last = max(leases_ms(client, keys, "sink"))
    wait_until(lambda: max(leases_ms(client, keys, "sink")) > last + 600)
    assert module.ended(signal.SIGTERM)[0] == -signal.SIGTERM


@pytest.mark.parametrize("hands", [1, 3])
def test_nothing_is_handled_while_paused_and_what_was_read_ahead_goes_to_others(
    settings: Settings, client: Client, keys: Keys, hands: int
) -> None:
    module, seen, gate = Module("sink", settings=settings, concurrency=hands), [], threading.Event()

    @module.handles()
    def handle(payload: int) -> None:
        seen.append(payload)
        gate.wait(PATIENCE_S)

    publish(settings, "sink", *range(12))
    with running(module):
        wait_until(lambda: len(seen) == hands)
        module.pause()
        # Also while a handler goes on: who waits for it waits in vain.
        wait_until(lambda: rows(client, keys, "sink").count((HEAP, 0)) == 12 - hands)
        gate.set()
        wait_until(lambda: pending(client, keys, "sink") == 12 - hands)
        publish(settings, "sink", 12)
        # A turn of every hand and of the heart.
        events = int(client.data.one(Command(("XLEN", keys.events("sink")))))
        time.sleep(0.8)
        assert len(seen) == hands
        assert int(client.data.one(Command(("XLEN", keys.events("sink"))))) == events
        module.resume()
        wait_until(lambda: len(seen) == 13)
    assert sorted(seen) == list(range(13))


def test_a_module_that_was_paused_before_it_runs_begins_when_it_is_resumed(settings: Settings) -> None:
    publish(settings, "sink", 1)
    module, seen = collector(settings, int)
    module.pause()
    with running(module):
        time.sleep(0.5)
        assert seen == []
        module.resume()
        wait_until(lambda: seen == [1])


def test_what_one_hand_had_is_handled_in_its_order_after_a_pause(settings: Settings) -> None:
    publish(settings, "sink", *range(50))
    module, seen = Module("sink", settings=settings), []

    @module.handles()
    def handle(payload: int) -> None:
        seen.append(payload)
        if payload in (5, 30):
            module.pause()
            threading.Timer(0.4, module.resume).start()

    with running(module):
        wait_until(lambda: len(seen) == 50)
    assert seen == list(range(50))


STARTING = """
import sys, time
from claude_comm import Module
module = Module("sink", drain_s=0.3)
@module.on_start
def begin(context) -> None:
    print("starting", flush=True)
    time.sleep(10_000)
@module.handles()
def handle(payload: int) -> None: ...
sys.exit(module.run())
"""
ASYNC_STARTING = (
    STARTING.replace("def begin", "async def begin")
    .replace("time.sleep", "await asyncio.sleep")
    .replace("import sys", "import asyncio, sys")
)


@pytest.mark.parametrize("text", [STARTING, ASYNC_STARTING], ids=["plain", "asynchronous"])
def test_a_stop_during_a_start_function_is_obeyed(environ: dict[str, str], text: str) -> None:
    """Within `drain_s`: the function would take hours."""
    with subprocess.Popen([sys.executable, "-c", text], env=environ, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "starting\n"
        program.send_signal(signal.SIGTERM)
        assert program.wait(PATIENCE_S) in (0, 1)


# A handler starts others in each of the ways; each asks itself to end, as a supervisor would.
CHILDREN = """
import multiprocessing, os, signal, subprocess, sys, time
from claude_comm import Module, Publisher

def sleep():
    time.sleep(10_000)

def ended(pid, wait):
    time.sleep(0.2)
    os.kill(pid, signal.SIGTERM)
    return wait()

module = Module("sink")
@module.handles()
def handle(payload: int, context) -> None:
    codes = []
    for method in ("fork", "spawn"):
        child = multiprocessing.get_context(method).Process(target=sleep)
        child.start()
        ended(child.pid, child.join)
        codes.append(child.exitcode)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10_000)"])
    codes.append(ended(other.pid, other.wait))
    print(codes, flush=True)
    context.stop()
if __name__ == "__main__":
    with Publisher("a") as publisher:
        publisher.publish("sink", 1)
    sys.exit(module.run())
"""


def test_a_process_that_is_started_in_a_handler_ends_when_it_is_asked(environ: dict[str, str], tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(CHILDREN)
    done = subprocess.run(
        [sys.executable, str(program)], env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (done.stdout, done.returncode) == (f"{[-signal.SIGTERM.value] * 3}\n", 0), done.stderr

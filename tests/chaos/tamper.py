"""What is changed in a child process, and nowhere else: broken variants, crash points, shifted clocks.

The product knows nothing of this. A child is started with `--control NAME`, `--die POINT:WHEN:N` or `--clock SECONDS`,
and patches itself before it begins.

Controls are defects put in on purpose, each of which the harness must notice. Where a defect shows only in a process
that ends at the wrong moment, the child ends itself at that moment, so that no run depends on luck:

| control | the child then |
| --- | --- |
| `ack-before-handling` | (consumer) acks a delivery, then handles it; and is killed in between |
| `checkpoint-before-rows` | (projection) commits the checkpoints, then the rows before them; and is killed in between |
| `group-at-end` | (consumer) makes its group at `$`: what was sent before it is never read |
| `no-deduplication` | (projection) has no unique index on messages, and inserts whatever it reads |
| `backwards` | (consumer) handles what it read at once from the last to the first |
| `stands-still` | (consumer) lives on after its first message, and handles no more |
| `ends-by-itself` | (projection) ends well, though nobody asked it |
| `stray-key` | (projection) leaves a key on the server that has no end |
| `counts-unseen` | (consumer) lists what is pending for it in a way that counts, as often as replies may be lost |
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from claude_comm.effects import Command
from claude_comm.runtime.environment import settings_of_process
from claude_comm.transport.connect import connect
from tests.chaos import wires

# What a child does by itself, in its own loop.
OWN = ("ack-before-handling", "backwards", "stands-still")
# Those that end the child, so that its first life alone is given them.
DEADLY = ("ack-before-handling", "checkpoint-before-rows", "ends-by-itself")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--control", default="", choices=("", *OWN, *CONTROLS))
    parser.add_argument("--die", default="", help="POINT:before|after:N, such as XADD:after:3")
    parser.add_argument("--clock", default="", help="SECONDS that this process's clock is ahead, or SECONDS/EVERY")


def apply(given: argparse.Namespace) -> None:
    if given.control in CONTROLS:
        CONTROLS[given.control]()
    if given.clock:
        ahead, _, every = given.clock.partition("/")
        shift_clock(float(ahead), float(every or 0))
    if given.die:
        point, when, count = given.die.split(":")
        wires.die_at(point, when, int(count))


def shift_clock(seconds: float, every_s: float = 0.0) -> None:
    """Lets the wall clock of this process be ahead (or behind): `time.time` and `time.time_ns`, which all else asks.

    With `every_s` it jumps there, and back, and there again, after so long each time.
    """
    wall, wall_ns = time.time, time.time_ns

    def ahead() -> float:
        there = not every_s or int(time.monotonic() / every_s) % 2
        return seconds if there else 0.0

    time.time = lambda: wall() + ahead()
    time.time_ns = lambda: wall_ns() + int(ahead() * 1e9)


def kill_oneself() -> None:
    """As `kill -9` from outside: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _group_at_end() -> None:
    def at_end(words: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*words[:4], "$", *words[5:]) if words[:2] == ("XGROUP", "CREATE") else words

    wires.rewrite(at_end)


def _checkpoint_before_rows() -> None:
    from claude_comm.store import catch_up, checkpoints, project

    whole = project.project

    def torn(database: Any, pages: Sequence[Any]) -> Any:
        with database.write() as writer:
            known = checkpoints.load_in(database, writer)
            ahead = {
                page.stream: checkpoints.Checkpoint(page.epoch, page.facts[-1].entry_id)
                for page in pages
                if known[page.stream].epoch == page.epoch
            }
            checkpoints.save_in(database, writer, ahead)
        if any(stream.endswith(":inbox") for stream in ahead):
            kill_oneself()
        return whole(database, pages)

    catch_up.project = torn


def _no_deduplication() -> None:
    from claude_comm.store import rows
    from workers import progress

    opened = progress.open_database

    def unprotected(*args: Any, **named: Any) -> Any:
        database = opened(*args, **named)
        with database.write() as writer:
            writer.execute("DROP INDEX IF EXISTS messages_by_id")
        return database

    rows._ONCE_A_MESSAGE = ""
    progress.open_database = unprotected


def _once_open(what: Callable[[], None]) -> None:
    """Does it once the projection has opened its database."""
    from workers import progress

    opened = progress.open_database

    def open_and_do(*args: Any, **named: Any) -> Any:
        database = opened(*args, **named)
        what()
        return database

    progress.open_database = open_and_do


def _ends_by_itself() -> None:
    _once_open(lambda: os._exit(0))


def _stray_key() -> None:
    def leave() -> None:
        with connect(settings_of_process()) as client:
            client.data.one(Command(("SET", "stray", "no end")))

    _once_open(leave)


def _counts_unseen() -> None:
    from claude_comm.ops import pending

    plain, lost = pending.own, list(range(8))

    def counting(reader: Any, **page: Any) -> Any:
        again = ("XREADGROUP", "GROUP", reader.group, reader.consumer, "STREAMS", reader.stream, "0")
        while lost:
            lost.pop()
            yield Command(again)
        return (yield from plain(reader, **page))

    pending.own = counting


CONTROLS: dict[str, Callable[[], None]] = {
    "counts-unseen": _counts_unseen,
    "ends-by-itself": _ends_by_itself,
    "stray-key": _stray_key,
    "checkpoint-before-rows": _checkpoint_before_rows,
    "group-at-end": _group_at_end,
    "no-deduplication": _no_deduplication,
}

"""At rest with many modules: what the janitor, the projection and the server take of a processor, doing nothing.

Each module is registered, has handled one message and is silent since. Absolute figures, in hundredths of one core.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.place import Place, place
from benchmarks.side_by_side import Figure, Result
from claude_comm import Publisher
from claude_comm.client.identity import identify
from claude_comm.ops import consume, registration
from claude_comm.ops.consume import Reader, Settlement
from claude_comm.progress.events import Handled, Settled
from claude_comm.registry.contracts import contract

MODULES = (100, 1_000, 5_000)
WORKERS = ("janitor", "progress")
# Until what was there at the start is done with.
SETTLE_S = 45.0
WINDOW_S, ROUNDS = 5.0, 3
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def main() -> list[Result]:
    return [_measured(count) for count in MODULES]


def _measured(count: int) -> Result:
    with place() as where, ExitStack() as stack:
        _register(where, count)
        pids = {worker: stack.enter_context(_worker(where, worker)) for worker in WORKERS}
        time.sleep(SETTLE_S)
        taken: dict[str, list[float]] = {name: [] for name in (*WORKERS, "server")}
        for _ in range(ROUNDS):
            before = {**{name: _spent_s(pid) for name, pid in pids.items()}, "server": where.processor_s()}
            time.sleep(WINDOW_S)
            after = {**{name: _spent_s(pid) for name, pid in pids.items()}, "server": where.processor_s()}
            for name, shares in taken.items():
                shares.append(100 * (after[name] - before[name]) / WINDOW_S)
    figures = [Figure(name, shares) for name, shares in taken.items()]
    return Result(f"At rest, {count:,} modules", "% of a core", figures, "Nothing is sent.")


def _register(where: Place, count: int) -> None:
    """As if each had registered, been sent one message, and handled it."""
    settings = where.settings()
    with Publisher("bench", settings=settings) as publisher:
        keys, client = publisher.identity.keys, publisher.client
        names = [f"m{number}" for number in range(count)]
        for name in names:
            client.run(registration.register(keys, contract(name, accepts={"message": True})))
            client.run(consume.make_group(keys.inbox(name), name, "0"))
            publisher.publish(name, 1)
        client.run(consume.announce(keys, [keys.events(name) for name in names]))
        for name in names:
            reader = Reader(keys.inbox(name), name, "one")
            (entry,) = client.run(consume.read(reader, count=1, block_ms=0))
            identity = identify(name, settings)
            handled = Handled([Settled("bench", f"{entry.id}", 1, 2, 1)])
            settlement = Settlement(ids=[entry.id], events_stream=keys.events(name), events=[identity.event(handled)])
            client.run(consume.settle(reader, settlement))
            client.run(consume.leave(reader))


@contextmanager
def _worker(where: Place, name: str) -> Iterator[int]:
    settings = where.settings()
    environ = {
        **os.environ,
        "CLAUDE_COMM_HOME": str(Path(where.home) / name),
        "CLAUDE_COMM_URL": settings.url,
        "CLAUDE_COMM_NAMESPACE": settings.namespace,
        "CLAUDE_COMM_LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", f"workers.{name}"], env=environ)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _spent_s(pid: int) -> float:
    """Of the processor, by a process of another program: to the nanosecond where the kernel tells, else in ticks, of
    which a worker at rest may take none."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    if told := [file.read_text(encoding="ascii") for file in threads]:
        return sum(int(text.split()[0]) for text in told) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS

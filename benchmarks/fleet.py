"""Instances of one module as processes, that come, leave as planned, and are killed while messages flow.

Each writes a line for every message that it handled, before the handler returns; the clock counts from the machine's
start, alike in every process of it.
"""

from __future__ import annotations

import collections
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

_PROGRAM = """
import os, sys, time
from claude_comm import Module

module = Module({name!r}, lease_s={lease_s}, concurrency={concurrency})
out = os.open({out!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

@module.handles()
def handle(number: int) -> None:
    time.sleep({takes_s})
    while number >= {free} and os.path.exists({hold!r}):
        time.sleep(0.01)
    # One write: a process that is killed leaves a whole line or none.
    os.write(out, f"{{number}} {{time.monotonic():.6f}}\\n".encode())

sys.exit(module.run())
"""


class Instance:
    """One process, and what it has handled."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self.process, self._out = process, out
        self.asked_at = self.ended_at = 0.0

    def handled(self) -> list[tuple[int, float]]:
        """Message and moment."""
        if not self._out.exists():
            return []
        lines = self._out.read_text().splitlines()
        return [(int(number), float(at)) for number, at in (line.split() for line in lines)]

    def drain(self, within_s: float = 30) -> int:
        """SIGTERM; the exit code."""
        self.asked_at = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(within_s)
        self.ended_at = time.monotonic()
        return code

    def kill(self) -> None:
        self.asked_at = time.monotonic()
        self.process.kill()
        self.process.wait()
        self.ended_at = time.monotonic()


class Handled(msgspec.Struct, frozen=True):
    """What all instances together did: who handled each message, and when."""

    times: Mapping[int, list[tuple[Instance, float]]]

    def twice(self) -> dict[int, list[Instance]]:
        """The messages handled more than once, by whom."""
        return {number: [who for who, _ in found] for number, found in self.times.items() if len(found) > 1}


class Fleet:
    """The instances of one module. While there is a file `hold` in their folder, none goes on after the first `free`
    messages."""

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        name: str,
        *,
        lease_s: float,
        takes_s: float,
        concurrency: int = 1,
        free: int = 0,
    ) -> None:
        self.hold = folder / "hold"
        self.instances: list[Instance] = []
        self._environ, self._folder = dict(environ), folder
        self._words = {
            **{"name": name, "lease_s": lease_s, "takes_s": takes_s, "concurrency": concurrency},
            **{"free": free, "hold": str(self.hold)},
        }

    def add(self) -> Instance:
        out = self._folder / f"handled-{len(self.instances)}"
        program = _PROGRAM.format(out=str(out), **self._words)
        process = subprocess.Popen([sys.executable, "-c", program], env=self._environ, stderr=subprocess.DEVNULL)
        self.instances.append(Instance(process, out))
        return self.instances[-1]

    def handled(self) -> Handled:
        times: dict[int, list[tuple[Instance, float]]] = collections.defaultdict(list)
        for instance in self.instances:
            for number, at in instance.handled():
                times[number].append((instance, at))
        return Handled(times)

    def close(self) -> None:
        for instance in self.instances:
            instance.process.kill()
            instance.process.wait()


@contextmanager
def fleet(
    environ: Mapping[str, str], folder: Path, name: str, *, lease_s: float, takes_s: float, free: int = 0
) -> Iterator[Fleet]:
    made = Fleet(environ, folder, name, lease_s=lease_s, takes_s=takes_s, free=free)
    try:
        yield made
    finally:
        made.close()

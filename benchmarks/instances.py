"""How long the messages that an instance held wait until another begins with them: after a planned stop, and after a
kill. The second is bound by the lease, which is what the benchmark is run with.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.fleet import Instance, fleet
from benchmarks.place import Place, place
from benchmarks.side_by_side import Result, rounds, times
from claude_comm import Publisher

ROUNDS = 5
LEASE_S = 2.0
_COUNT = 16
_TAKES_S = 0.5
_WAYS: dict[str, Callable[[Instance], object]] = {
    "SIGTERM: drained": lambda instance: instance.drain(),
    f"kill -9, lease {LEASE_S:g} s": lambda instance: instance.kill(),
}


def main() -> list[Result]:
    with place() as where, tempfile.TemporaryDirectory() as folder:
        seconds = rounds(
            {name: lambda how=how: _pause(where, Path(folder), how) for name, how in _WAYS.items()}, ROUNDS
        )
    note = (
        f"From the signal to an instance that held {_COUNT} messages, {_TAKES_S:g} s each, until another begins with "
        "one of them. A lease runs from its last renewal, a third of it before the kill at the most."
    )
    return [times("Instances, pause when one goes", seconds, note=note)]


def _pause(where: Place, folder: Path, how: Callable[[Instance], object]) -> float:
    settings = where.settings(f"fleet{time.monotonic_ns()}")
    environ = {
        "CLAUDE_COMM_HOME": str(settings.home),
        "CLAUDE_COMM_URL": settings.url,
        "CLAUDE_COMM_NAMESPACE": settings.namespace,
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
    }
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", range(_COUNT))
    own = Path(tempfile.mkdtemp(dir=folder))
    with fleet(environ, own, "sink", lease_s=LEASE_S, takes_s=_TAKES_S) as instances:
        gone = instances.add()
        _until(lambda: bool(gone.handled()))
        other = instances.add()
        # It is up when it has handled something: a message that the first one does not hold.
        with Publisher("src", settings=settings) as publisher:
            publisher.publish("sink", _COUNT)
        _until(lambda: bool(other.handled()))
        how(gone)
        _until(lambda: len(other.handled()) > 1)
        return other.handled()[1][1] - _TAKES_S - gone.asked_at


def _until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the instances did not do what is measured")
        time.sleep(0.005)

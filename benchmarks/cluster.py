"""Publishing to six modules: on one server, and on three masters of a cluster, all on this machine.

The masters share its cores, so this shows what splitting and gathering costs, not what more machines bring.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.messages import payload, payloads
from benchmarks.side_by_side import Result, rates, rounds
from claude_comm import AsyncPublisher, Publisher
from claude_comm.settings import Settings
from tests.support.masters import lone_server, modules_on_all, three_masters

ROUNDS = 7
COUNT = 12_000
TASKS = 100


def main() -> list[Result]:
    with tempfile.TemporaryDirectory() as home, lone_server() as port, three_masters() as masters:
        urls = {"one server": f"redis://127.0.0.1:{port}", "three masters": masters.url}
        targets = modules_on_all(masters, "bench")
        ways: dict[str, Callable[[], None]] = {}
        runner = asyncio.Runner()
        closing = []
        for place, url in urls.items():
            settings = Settings(home=Path(home), url=url, namespace="bench", log_level="error")
            publisher = Publisher("bench", settings=settings)
            closing.append(publisher.close)
            ways[f"claude-comm publish_many, {place}"] = lambda it=publisher: many(it, targets)
            ways[f"claude-comm publish_soon, {place}"] = lambda it=publisher: soon(it, targets)
            ways[f"claude-comm await publish() from 100 tasks, {place}"] = lambda it=settings: runner.run(
                tasks(it, targets)
            )
        with runner:
            seconds = rounds(ways, ROUNDS)
        for close in closing:
            close()
    note = "200-byte payloads to six modules, two on each master; TCP on loopback, append-only files; one producer."
    return [rates("Cluster", seconds, dict.fromkeys(ways, COUNT), note=note)]


def many(publisher: Publisher, targets: list[str]) -> None:
    """Each batch has one target, and so goes to one master."""
    for target in targets:
        publisher.publish_many(target, payloads(COUNT // len(targets)))


def soon(publisher: Publisher, targets: list[str]) -> None:
    """What has queued meanwhile goes to all masters at once."""
    for number in range(COUNT):
        publisher.publish_soon(targets[number % len(targets)], payload(number))
    publisher.flush()


async def tasks(settings: Settings, targets: list[str]) -> None:
    async with AsyncPublisher("bench", settings=settings) as publisher:

        async def one(first: int) -> None:
            for number in range(first, COUNT, TASKS):
                await publisher.publish(targets[number % len(targets)], payload(number))

        await asyncio.gather(*(one(first) for first in range(TASKS)))

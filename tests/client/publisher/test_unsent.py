"""A program that leaves messages unsent is told how many; one that flushes or closes is told nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from claude_comm import Settings
from claude_comm.testing.bus import environment
from tests.support.waiting import PATIENCE_S

# Nothing is sent: the server of the first never answers, the loop of the second never turns again.
LEAVING = {
    "threads": """
import os, socket
from claude_comm import Publisher

server = socket.create_server(("127.0.0.1", 0))
os.environ["CLAUDE_COMM_URL"] = f"redis://127.0.0.1:{server.getsockname()[1]}"
publisher = Publisher("shop")
for number in range(7):
    publisher.publish_soon("till", number)
""",
    "asyncio": """
import asyncio
from claude_comm import AsyncPublisher

async def main():
    publisher = AsyncPublisher("shop")
    for number in range(7):
        await publisher.publish_soon("till", number)

asyncio.run(main())
""",
}
STAYING = """
import asyncio
from claude_comm import AsyncPublisher, Publisher

publisher = Publisher("shop")
for number in range(7):
    publisher.publish_soon("till", number)
publisher.flush()
waited = Publisher("waited")
assert waited.publish_soon("till", 1).result()
with Publisher("closed") as closed:
    closed.publish_soon("till", 1)

async def main():
    flushed = AsyncPublisher("shop")
    for number in range(7):
        await flushed.publish_soon("till", number)
    await flushed.flush()
    async with AsyncPublisher("closed") as closed:
        await closed.publish_soon("till", 1)

asyncio.run(main())
"""


def told(program: str, settings: Settings) -> list[dict[str, object]]:
    """What the program logs."""
    environ = {**os.environ, **environment(settings), "CLAUDE_COMM_LOG_LEVEL": "info-json"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("program", LEAVING.values(), ids=LEAVING)
def test_leaving_without_a_flush_is_told_with_the_count(settings: Settings, program: str) -> None:
    (line,) = told(program, settings)
    assert (line["event"], line["messages"], line["module"]) == ("publisher.left_unsent", 7, "shop")


def test_who_flushes_waits_or_closes_is_told_nothing(settings: Settings) -> None:
    assert told(STAYING, settings) == []

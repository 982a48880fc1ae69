"""Fan-out of the gateway to many WebSocket clients, beside a bare `websockets` server: `python -m benchmarks gateway`.

Both serve from a process of their own, and the clients, on one more, only read frames. One message at a time is a frame
for each client; a batch leaves as a frame of many. Memory is what the server's process grew by, for each connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

from claude_comm import AsyncPublisher
from claude_comm.runtime import private_server
from claude_comm.settings import Settings

PAYLOAD = "x" * 200
ALONE, BATCHED = 20, 2_000
_READY_S = 120.0


def rss_kib(pid: int) -> int:
    """What a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Clients:
    """Many connections; `messages` counts what all of them were handed."""

    def __init__(self) -> None:
        self.messages = self.ready = 0
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def add(self, address: str, protocol: str, first: list[str]) -> None:
        subprotocols: Any = [protocol] if protocol else None
        connecting = connect(address, subprotocols=subprotocols, compression=None, proxy=None)
        socket = await self._stack.enter_async_context(connecting)
        for frame in first:
            await socket.send(frame)
        self._tasks.append(asyncio.create_task(self._read(socket)))

    async def _read(self, socket: Any) -> None:
        async for frame in socket:
            if PAYLOAD in frame:
                self.messages += frame.count(PAYLOAD)
            elif '"subscribed"' in frame:
                self.ready += 1

    async def wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + _READY_S
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.messages} messages, {self.ready} ready")
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._stack.aclose()


async def measure(
    pid: int, address: str, protocol: str, first: list[str], count: int, send: Callable[[int], Awaitable[None]]
) -> dict[str, float]:
    """`send` sends that many messages to all."""
    clients = Clients()
    before = rss_kib(pid)
    for start in range(0, count, 50):
        await asyncio.gather(*(clients.add(address, protocol, first) for _ in range(min(50, count - start))))
    if protocol:
        await clients.wait(lambda: clients.ready == count)
    grown = rss_kib(pid) - before
    began = time.perf_counter()
    for number in range(1, ALONE + 1):
        await send(1)
        await clients.wait(lambda number=number: clients.messages >= number * count)  # type: ignore[misc]
    alone_s = time.perf_counter() - began
    clients.messages = 0
    began = time.perf_counter()
    await send(BATCHED)
    await clients.wait(lambda: clients.messages >= BATCHED * count)
    batched_s = time.perf_counter() - began
    await clients.close()
    return {
        "KiB a connection": round(grown / count, 1),
        "deliveries/s, one a frame": round(ALONE * count / alone_s),
        "messages/s, batched": round(BATCHED * count / batched_s),
    }


async def of_gateway(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        settings = Settings(home=Path(folder))
        environ = {**os.environ, "CLAUDE_COMM_HOME": folder}
        command = [sys.executable, "-m", "claude_comm", "gateway", "--json", "--anonymous", "--port", "0"]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            first = [json.dumps({"kind": "hello"}), json.dumps({"kind": "subscribe", "sub": "b", "topic": "bench"})]
            async with AsyncPublisher("bench", settings=settings) as publisher:

                async def send(messages: int) -> None:
                    await publisher.publish_many("topic:bench", [PAYLOAD] * messages)

                address = said["address"].replace("http", "ws", 1) + "/v1/socket"
                return await measure(process.pid, address, "claude-comm.v1", first, count, send)
        finally:
            process.terminate()
            process.wait()
            private_server.stop(Path(folder))


async def of_bare(count: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.gateway", "bare"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        address, lines = process.stdout.readline().strip(), process.stdin

        async def send(messages: int) -> None:
            lines.write(f"{messages}\n")
            lines.flush()

        return await measure(process.pid, address, "", [], count, send)
    finally:
        process.kill()
        process.wait()


async def bare() -> None:
    """The bare server: sends as many messages as a line of stdin says, in frames of at most 20."""

    async def handle(socket: Any) -> None:
        await socket.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"ws://127.0.0.1:{port}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            left = int(line)
            while left > 0:
                broadcast(server.connections, ",".join([PAYLOAD] * min(left, 20)))
                left -= 20
                await asyncio.sleep(0)


def main(words: list[str]) -> int:
    """`words` is how many clients, 1,000 if none."""
    if words == ["bare"]:
        asyncio.run(bare())
        return 0
    count = int(words[0]) if words else 1_000
    for name, way in (("the gateway", of_gateway), ("bare websockets", of_bare)):
        print(name, json.dumps(asyncio.run(way(count))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

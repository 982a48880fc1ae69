"""Fan-out of the gateway to many WebSocket clients, beside a bare `websockets` server: `python -m benchmarks gateway`.

Each server has a process of its own, and so have the clients, which are raw sockets and read nothing but the headers of
frames. Messages are sent without waiting for anybody. Beside the rate stands the processor time that the server took
for a delivery, which other work on the machine does not change much; memory is what its process grew by for each
connection.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from websockets.asyncio.server import broadcast, serve

from benchmarks.gateway_clients import MARK
from claude_comm import AsyncPublisher
from claude_comm.runtime import private_server
from claude_comm.settings import Settings

PAYLOAD = MARK + "x" * (200 - len(MARK))
# How many messages each client is sent: in a stream, a message a frame and many a frame; and each by itself, at a pace
# at which none waits for the one before.
ALONE, BATCHED, APART = 300, 4_000, 50
PACE_S = 0.1
# Messages in a frame of the bare server, and in one call of the publisher.
FRAME, CALL = 20, 500
_TICKS = os.sysconf("SC_CLK_TCK")

Send: TypeAlias = Callable[[int], Coroutine[Any, Any, None]]


def rss_kib(pid: int) -> int:
    """What a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def processor_s(pid: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Clients:
    """A process of clients; `grown_kib` is what the server grew by for each."""

    def __init__(self, pid: int, address: str, path: str, protocol: str, first: list[str], count: int) -> None:
        self._pid, self._count = pid, count
        before = rss_kib(pid)
        asked = {"port": urlsplit(address).port, "path": path, "protocol": protocol, "first": first, "count": count}
        command = [sys.executable, "-m", "benchmarks.gateway_clients", json.dumps(asked)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._hear()
        self.grown_kib = (rss_kib(pid) - before) / count

    async def count(self, messages: int, send: Send) -> dict[str, float]:
        """Sends so many messages to all clients but those that are stalled, until each has them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{messages}\n")
        self._process.stdin.flush()
        before = processor_s(self._pid)
        sending = asyncio.create_task(send(messages))
        read = await asyncio.to_thread(self._hear)
        await sending
        deliveries = read["messages"]
        return {
            "a second": round(deliveries / read["seconds"]),
            "processor, µs": round((processor_s(self._pid) - before) / deliveries * 1e6, 2),
            "messages a frame": round(deliveries / read["frames"], 1),
        }

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def gateway() -> Iterator[tuple[int, str, Settings]]:
    """A gateway in a process of its own: its pid, its address, the settings of its system."""
    with tempfile.TemporaryDirectory(prefix="cc-") as folder:
        environ = {**os.environ, "CLAUDE_COMM_HOME": folder}
        command = [sys.executable, "-m", "claude_comm", "gateway", "--json", "--anonymous", "--port", "0"]
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield process.pid, said["address"], Settings(home=Path(folder))
        finally:
            process.terminate()
            process.wait()
            private_server.stop(Path(folder))


async def of_gateway(count: int, stalled: int = 0) -> dict[str, Any]:
    """`cloudevents.json` is a message a frame; `claude-comm.v1` as many as are there."""
    subscribe = [json.dumps({"kind": "hello"}), json.dumps({"kind": "subscribe", "sub": "b", "topic": "bench"})]
    figures: dict[str, Any] = {}
    ways: tuple[tuple[str, str, str, list[str], int, float], ...] = (
        ("one at a time", "/v1/socket?topic=bench", "cloudevents.json", [], APART, PACE_S),
        ("one a frame", "/v1/socket?topic=bench", "cloudevents.json", [], ALONE, 0.0),
        ("batched", "/v1/socket", "claude-comm.v1", subscribe, BATCHED, 0.0),
    )
    for name, path, protocol, first, messages, pace_s in ways:
        with gateway() as (pid, address, settings):
            async with AsyncPublisher("bench", settings=settings) as publisher:

                async def send(left: int, publisher: AsyncPublisher = publisher, pace_s: float = pace_s) -> None:
                    call = 1 if pace_s else CALL
                    while left > 0:
                        await publisher.publish_many("topic:bench", [PAYLOAD] * min(left, call))
                        left -= call
                        await asyncio.sleep(pace_s)

                clients = Clients(pid, address, path, protocol, first, count)
                stuck = Clients(pid, address, path, protocol, first, -stalled) if stalled else None
                figures[name] = await clients.count(messages, send)
                figures["KiB a connection"] = round(clients.grown_kib, 1)
                for process in (clients, stuck):
                    if process is not None:
                        process.close()
    return figures


async def of_bare(count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gateway", "bare"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        address, lines = process.stdout.readline().strip(), process.stdin
        clients = Clients(process.pid, address, "/", "", [], count)

        def sender(frame: int, pace_s: float = 0.0) -> Send:
            async def send(messages: int) -> None:
                lines.write(f"{messages} {frame} {pace_s}\n")
                lines.flush()

            return send

        figures: dict[str, Any] = {"one at a time": await clients.count(APART, sender(1, PACE_S))}
        figures["one a frame"] = await clients.count(ALONE, sender(1))
        figures["KiB a connection"] = round(clients.grown_kib, 1)
        figures["batched"] = await clients.count(BATCHED, sender(FRAME))
        clients.close()
        return figures
    finally:
        process.kill()
        process.wait()


async def bare() -> None:
    """The bare server: a line of stdin says how many messages it sends, how many of them in a frame, at which pace."""

    async def handle(socket: Any) -> None:
        await socket.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(f"ws://127.0.0.1:{port}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            left, frame, pace_s = (float(word) for word in line.split())
            while left > 0:
                broadcast(server.connections, ",".join([PAYLOAD] * int(min(left, frame))))
                left -= frame
                await asyncio.sleep(pace_s)


def main(words: list[str]) -> int:
    """`words` is how many clients, 1,000 if none."""
    if words == ["bare"]:
        asyncio.run(bare())
        return 0
    count = int(words[0]) if words else 1_000
    print("bare websockets", json.dumps(asyncio.run(of_bare(count)), ensure_ascii=False), flush=True)
    for name, stalled in (("the gateway", 0), ("the gateway, one client stalled", 1)):
        print(name, json.dumps(asyncio.run(of_gateway(count, stalled)), ensure_ascii=False), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

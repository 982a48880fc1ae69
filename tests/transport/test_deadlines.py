"""A server that accepts and never answers: whoever asks waits no longer than it said."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_comm import AsyncPublisher, Publisher
from claude_comm.effects import Command
from claude_comm.errors import ReplyTimeout, ServerUnreachable
from claude_comm.settings import Settings
from claude_comm.transport import pool
from claude_comm.transport.async_pool import AsyncConnectionPool
from claude_comm.transport.pool import ConnectionPool

# Nothing here is faster than the machine; what it must not be is as slow as the product's own wait for a reply.
LIMIT_S = pool.REPLY_TIMEOUT_S / 2


@pytest.fixture(params=["tcp", "unix"])
def silent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a server that accepts connections and says nothing."""
    if request.param == "tcp":
        server = socket.create_server(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{server.getsockname()[1]}"
    else:
        path = tmp_path / "s"
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen()
        url = f"unix://{path}"
    taken: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                taken.append(server.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield url
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()
    for connection in taken:
        connection.close()


def took_s(ask: Callable[[], Any], error: Any) -> float:
    begun = time.monotonic()
    with pytest.raises(error):
        ask()
    return time.monotonic() - begun


def test_a_command_keeps_its_time_also_where_its_connection_is_to_be_opened(silent: str) -> None:
    connections = ConnectionPool(silent)
    assert took_s(lambda: connections.one(Command(("PING",), within_ms=200)), ServerUnreachable) < LIMIT_S
    connections.close()


def test_so_it_does_on_an_event_loop(silent: str) -> None:
    async def ask() -> None:
        connections = AsyncConnectionPool(silent)
        try:
            await connections.one(Command(("PING",), within_ms=200))
        finally:
            await connections.close()

    assert took_s(lambda: asyncio.run(ask()), ServerUnreachable) < LIMIT_S


def test_so_does_a_batch(silent: str) -> None:
    connections = ConnectionPool(silent)
    assert took_s(lambda: connections.many([Command(("PING",))], within_ms=200), ServerUnreachable) < LIMIT_S
    connections.close()


def test_a_request_keeps_its_time_and_closing_takes_no_longer(silent: str, tmp_path: Path) -> None:
    publisher = Publisher("a", settings=Settings(home=tmp_path, url=silent))
    errors = (ReplyTimeout, ServerUnreachable)
    assert took_s(lambda: publisher.request("sink", 1, timeout_s=0.5), errors) < LIMIT_S
    begun = time.monotonic()
    publisher.close()
    assert time.monotonic() - begun < LIMIT_S


def test_so_does_one_on_an_event_loop(silent: str, tmp_path: Path) -> None:
    async def ask() -> tuple[float, float]:
        publisher = AsyncPublisher("a", settings=Settings(home=tmp_path, url=silent))
        begun = time.monotonic()
        with pytest.raises((ReplyTimeout, ServerUnreachable)):
            await publisher.request("sink", 1, timeout_s=0.5)
        asked = time.monotonic()
        await publisher.close()
        return asked - begun, time.monotonic() - asked

    assert max(asyncio.run(ask())) < LIMIT_S


def test_what_looks_at_an_inbox_before_a_request_keeps_its_time_too(silent: str, tmp_path: Path) -> None:
    with Publisher("a", settings=Settings(home=tmp_path, url=silent, max_lag=1)) as publisher:
        errors = (ReplyTimeout, ServerUnreachable)
        assert took_s(lambda: publisher.request("sink", 1, timeout_s=0.5), errors) < LIMIT_S

"""Both drivers perform the same operations, and leave no reply behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from claude_comm.drive.aio import AsyncServer
from claude_comm.drive.connect import connect, connect_async
from claude_comm.drive.server import Server, public
from claude_comm.effects import Batch, Command, Operation
from claude_comm.errors import ServerRefused, ServerUnreachable
from claude_comm.settings import Settings

Run = Callable[[Operation[Any]], Any]


@pytest.fixture(params=["blocking", "asyncio"])
def run(request: pytest.FixtureRequest, settings: Settings) -> Run:
    """Runs an operation on the driver of that name."""
    if request.param == "blocking":
        links = request.getfixturevalue("links")
        run_blocking: Run = links.run
        return run_blocking

    def run_async(operation: Operation[Any]) -> Any:
        async def within() -> Any:
            async with connect_async(settings) as links:
                return await links.run(operation)

        return asyncio.run(within())

    return run_async


def test_replies_come_as_the_server_sent_them(run: Run, settings: Settings) -> None:
    key = settings.namespace

    def operation() -> Operation[list[Any]]:
        yield Command(("XADD", key, "1-1", "e", b"\x00"))
        return (yield Batch((Command(("XRANGE", key, "-", "+")), Command(("NONSENSE",)), Command(("XLEN", key)))))

    entries, refused, length = run(operation())
    assert entries == [[b"1-1", [b"e", b"\x00"]]]
    assert isinstance(refused, ServerRefused)
    assert length == 1


def test_an_error_reply_is_raised_inside_the_operation(run: Run, settings: Settings) -> None:
    def operation() -> Operation[str]:
        try:
            yield Command(("XGROUP", "CREATE", settings.namespace, "g", "0"))
        except ServerRefused as refusal:
            return refusal.code
        return "no error"

    assert run(operation()) == "ERR"


def test_the_code_of_a_refusal_survives(run: Run, settings: Settings) -> None:
    def operation() -> Operation[str]:
        create = Command(("XGROUP", "CREATE", settings.namespace, "g", "0", "MKSTREAM"))
        yield create
        try:
            yield create
        except ServerRefused as refusal:
            return refusal.code
        return "no error"

    assert run(operation()) == "BUSYGROUP"


def test_a_cancelled_task_runs_the_finally_of_its_operation_and_leaves_no_reply(settings: Settings) -> None:
    ended = []

    def operation() -> Operation[Any]:
        try:
            return (yield Command(("XREAD", "BLOCK", 5000, "STREAMS", settings.namespace, "$"), wait_ms=5000))
        finally:
            ended.append(True)

    async def scenario() -> Any:
        async with connect_async(settings) as links:
            task = asyncio.create_task(links.run(operation()))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await links.data.one(Command(("PING",)))

    assert asyncio.run(scenario()) == b"PONG"
    assert ended == [True]


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    server = Server("redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(ServerUnreachable) as caught:
        server.one(Command(("PING",)))
    assert "127.0.0.1:1" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert public("redis://:p@h:1") == "redis://h:1"


def test_a_connection_that_is_reset_while_replies_are_read_is_a_server_that_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen when a server is killed: the bulk reader meets the operating system's own error."""

    def reset(*_: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    with connect(settings) as links:
        monkeypatch.setattr("claude_comm.drive.parser.BulkParser.read_many", reset)
        with pytest.raises(ServerUnreachable):
            links.data.many([Command(("PING",))])
    server = AsyncServer(settings.url)
    monkeypatch.setattr("claude_comm.drive.parser.AsyncBulkParser.read_many", reset)
    with pytest.raises(ServerUnreachable):
        asyncio.run(server.many([Command(("PING",))]))

"""A server without memory: publishers wait a while, then are told; what is kept is sent when there is room."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import ServerFull, ServerRefused
from claude_comm.names import Keys
from claude_comm.runtime import private_server
from claude_comm.transport.connect import connect
from tests.support.waiting import PATIENCE_S, wait_until


@pytest.fixture
def server(home: Path) -> Settings:
    return Settings(home=home, url=f"unix://{private_server.ensure(home)}", log_level="error")


@contextmanager
def no_memory(settings: Settings) -> Iterator[Callable[[], None]]:
    """Within it the server refuses to grow, until the function that is given is called."""
    with connect(settings) as client:

        def limit(to_bytes: int) -> None:
            client.data.one(Command(("CONFIG", "SET", "maxmemory", to_bytes)))

        limit(1)
        try:
            yield lambda: limit(0)
        finally:
            limit(0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.client.publisher.attempts.FULL_WAITS_S", (0.05, 0.05))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("claude_comm.client.publisher.attempts.FULL_WAITS_S", (0.05,) * int(PATIENCE_S / 0.05))


def refused(settings: Settings) -> int:
    """How often the server had no memory for a command."""
    with connect(settings) as client:
        told = client.data.one(Command(("INFO", "errorstats"))).decode()
    counts = [int(line.split("count=")[1]) for line in told.splitlines() if line.startswith("errorstat_OOM:")]
    return sum(counts)


def sent(settings: Settings, target: str) -> int:
    with connect(settings) as client:
        return int(client.data.one(Command(("XLEN", Keys(settings.namespace).inbox(target)))))


def test_a_publisher_is_told_that_the_server_is_full_and_what_to_do(server: Settings, impatient: None) -> None:
    with Publisher("src", settings=server) as publisher, no_memory(server):
        publisher._responders.saw("sink")
        for send in (
            lambda: publisher.publish("sink", 1),
            lambda: publisher.publish_many("sink", [1, 2]),
            lambda: publisher.publish("sink", 1, delay_s=5),
            lambda: publisher.request("sink", 1, timeout_s=5),
        ):
            with pytest.raises(ServerFull, match=r"raise `maxmemory`") as caught:
                send()
            assert isinstance(caught.value, ServerRefused)
            assert caught.value.code == "OOM"
    assert sent(server, "sink") == 0


def test_a_full_server_slows_a_publisher_and_nothing_is_lost_or_doubled(server: Settings, patient: None) -> None:
    with Publisher("src", settings=server) as publisher:
        publisher.publish("sink", 0)
        with no_memory(server) as make_room:
            making = threading.Thread(target=lambda: (wait_until(lambda: refused(server) > 1), make_room()))
            making.start()
            publisher.publish("sink", 1)
            making.join()
            assert refused(server) > 1
    assert sent(server, "sink") == 2


def test_what_was_queued_for_the_background_is_sent_when_there_is_room(server: Settings, patient: None) -> None:
    with Publisher("src", settings=server) as publisher, no_memory(server) as make_room:
        promises = [publisher.publish_soon("sink", n) for n in range(100)]
        threading.Timer(0.3, make_room).start()
        assert len({promise.result(PATIENCE_S) for promise in promises}) == 100
    assert sent(server, "sink") == 100


def test_tasks_wait_for_room_and_those_that_waited_in_vain_are_told(server: Settings, impatient: None) -> None:
    async def scenario() -> list[BaseException | str]:
        async with AsyncPublisher("src", settings=server) as publisher:
            await publisher.publish("sink", "announces the stream, so that what follows takes the short way")
            with no_memory(server):
                lost = await asyncio.gather(*(publisher.publish("sink", n) for n in range(80)), return_exceptions=True)
                assert {type(one) for one in lost} == {ServerFull}
            with no_memory(server) as make_room:
                asyncio.get_running_loop().call_later(0.02, make_room)
                return await asyncio.gather(*(publisher.publish("sink", n) for n in range(80)), return_exceptions=True)

    answers = asyncio.run(scenario())
    assert len({answer for answer in answers if isinstance(answer, str)}) == 80
    assert sent(server, "sink") == 81


def test_an_outbox_keeps_what_the_server_has_no_memory_for_and_sends_it_later(
    server: Settings, tmp_path: Path, impatient: None
) -> None:
    with Publisher("src", settings=server, outbox=tmp_path / "outbox.db") as publisher:
        for known in (False, True):  # what is refused first is the stream's announcement, then the message itself
            if known:
                wait_until(lambda: publisher._outbox is not None and not publisher._outbox._behind)
                publisher.publish("sink", "announces the stream")
            before = sent(server, "sink")
            with no_memory(server):
                ids = [publisher.publish("sink", n) for n in range(5)]
                assert len(set(ids)) == 5
                assert sent(server, "sink") == before, known
            wait_until(lambda before=before: sent(server, "sink") == before + 5)  # type: ignore[misc]

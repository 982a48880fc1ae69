"""The outbox: what was kept is sent, whatever dies or loses its data, and stored once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_comm import AsyncPublisher, Publisher, Settings
from claude_comm.client.publisher import outbox_sender
from claude_comm.effects import Command, Post
from claude_comm.envelope import decode
from claude_comm.errors import ConfigurationError, PublisherBusy, PublisherFull, ServerRefused
from claude_comm.names import Keys
from claude_comm.runtime import private_server
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.store.outbox import Outbox
from claude_comm.store.records import MessageRow
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until

# Publishes 0 to 9 one by one and dies by SIGKILL at a named point of the fifth.
CHILD = """
import os, signal, sys
from claude_comm import Publisher
from claude_comm.transport.pool import ConnectionPool
from claude_comm.store.outbox import Outbox

path, point = sys.argv[1:]

def dying(function, where, calls=iter(range(100))):
    def wrapped(self, posts, *words):
        fifth = next(calls) == 4
        if fifth and point == f"before {where}":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(self, posts, *words)
        if fifth and point == f"after {where}":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

if point.endswith("outbox write"):
    Outbox.keep = dying(Outbox.keep, "outbox write")
else:
    ConnectionPool.append = dying(ConnectionPool.append, "XADD")
with Publisher("src", outbox=path) as publisher:
    for number in range(10):
        publisher.publish("sink", number)
        print(number, flush=True)
"""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receipts are believed and looked for without the waits that real disks need."""
    monkeypatch.setattr(outbox_sender, "SETTLE_S", 0.0)
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.02)
    monkeypatch.setattr(outbox_sender, "AUDIT_S", 0.1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "src.outbox"


def held(path: Path) -> int:
    """How many messages an outbox holds; from outside, so that it may be in use."""
    with open_database(
        path, migrations=Path(outbox_sender.__file__).parents[2] / "store/migrations/outbox"
    ) as database:
        (count,) = database.rows("SELECT count(*) FROM outbox")[0]
        return int(count)


def stream(client: Client, settings: Settings) -> list[Any]:
    entries = client.data.one(Command(("XRANGE", Keys(settings.namespace).inbox("sink"), "-", "+")))
    return [decode(fields[1]) for _, fields in entries]


def project(client: Client, settings: Settings) -> list[MessageRow]:
    """Brings the projection up to date; the messages that it holds."""
    with open_database(settings.database) as database:
        catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
        return queries.messages(database, target="sink")


def run_child(path: Path, point: str, environ: dict[str, str]) -> int:
    """How many publishes returned before it died."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), point], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return len(done.stdout.split())


@pytest.mark.parametrize(
    ("point", "kept"),
    [("before outbox write", 4), ("after outbox write", 5), ("before XADD", 5), ("after XADD", 5)],
)
def test_what_was_kept_is_stored_once_wherever_the_publisher_is_killed(
    point: str, kept: int, path: Path, settings: Settings, client: Client, environ: dict[str, str]
) -> None:
    assert run_child(path, point, environ) == 4
    with Publisher("src", settings=settings, outbox=path):
        wait_until(lambda: len({envelope.id for envelope in stream(client, settings)}) == kept)
        wait_until(lambda: len(project(client, settings)) == kept and held(path) == 0, what="an empty outbox")
    in_order = list(dict.fromkeys(envelope.payload() for envelope in stream(client, settings)))
    assert in_order == list(range(kept))


def test_it_is_on_the_disk_before_it_is_sent(path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with Publisher("src", settings=settings, outbox=path) as publisher:
        seen: list[int] = []
        append = publisher.client.data.append

        def look(posts: list[Post], *rest: Any) -> Any:
            seen.append(held(path))
            return append(posts, *rest)

        monkeypatch.setattr(publisher.client.data, "append", look)
        publisher.publish("sink", 1)
    assert seen == [1]


def test_a_commit_reaches_the_disk(path: Path) -> None:
    outbox = Outbox(path)
    assert outbox._database.rows("PRAGMA synchronous") == [(2,)]
    outbox.close()


def test_what_a_server_lost_after_its_ack_is_sent_again_after_a_restart(
    path: Path, settings: Settings, client: Client
) -> None:
    with Publisher("src", settings=settings, outbox=path) as publisher:
        ids = publisher.publish_many("sink", range(5))
    wipe(client, settings)
    with Publisher("src", settings=settings, outbox=path):
        wait_until(lambda: [envelope.id for envelope in stream(client, settings)] == ids)


def test_what_a_server_loses_under_a_living_publisher_is_sent_again(
    path: Path, settings: Settings, client: Client
) -> None:
    with Publisher("src", settings=settings, outbox=path) as publisher:
        ids = publisher.publish_many("sink", range(5))
        wipe(client, settings)
        wait_until(lambda: [envelope.id for envelope in stream(client, settings)] == ids)


def test_a_later_position_is_no_receipt_for_what_the_server_lost(
    path: Path, settings: Settings, client: Client
) -> None:
    """After the loss another publisher's message is stored at a later entry: the lost one is not taken for stored."""
    with Publisher("src", settings=settings, outbox=path) as publisher:
        (id_,) = publisher.publish_many("sink", ["lost"])
    wipe(client, settings)
    time.sleep(0.005)
    with Publisher("other", settings=settings) as other:
        other.publish("sink", "later")
    project(client, settings)
    with Publisher("src", settings=settings, outbox=path):
        wait_until(lambda: id_ in {envelope.id for envelope in stream(client, settings)})
        wait_until(lambda: len(project(client, settings)) == 2 and held(path) == 0)


def test_what_is_stored_is_forgotten_and_not_sent_again(path: Path, settings: Settings, client: Client) -> None:
    with Publisher("src", settings=settings, outbox=path) as publisher:
        publisher.publish_many("sink", range(1200))
        assert held(path) == 1200
        assert len(project(client, settings)) == 1200
        wait_until(lambda: held(path) == 0)
    with Publisher("src", settings=settings, outbox=path):
        time.sleep(0.3)
    assert len(stream(client, settings)) == 1200


def test_what_was_kept_by_a_clock_that_was_ahead_is_forgotten_all_the_same(
    path: Path, settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall_ns, ahead_ns = time.time_ns, [3_600_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + ahead_ns[0])
    with Publisher("src", settings=settings, outbox=path) as publisher:
        publisher.publish("sink", 1)
        ahead_ns[0] = 0
        project(client, settings)
        wait_until(lambda: held(path) == 0, what="the outbox is empty")


def test_what_is_not_stored_yet_is_kept_and_not_sent_again(path: Path, settings: Settings, client: Client) -> None:
    for count in (1, 2):
        with Publisher("src", settings=settings, outbox=path) as publisher:
            publisher.publish("sink", "x")
            wait_until(lambda count=count: len(stream(client, settings)) == count)  # type: ignore[misc]
            time.sleep(0.3)
    assert (held(path), len(stream(client, settings))) == (2, 2)


def test_without_a_server_publishing_goes_on_and_all_is_sent_in_order_when_it_is_back(
    path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_comm.client.publisher.attempts.RETRY_WAITS_S", (0.01,))
    private_server.ensure(home)
    settings = Settings(home=home, url=f"unix://{private_server.socket_path(home)}", log_level="error")
    with Publisher("src", settings=settings, outbox=path) as publisher, connect(settings) as client:
        publisher.publish("sink", 0)
        private_server.stop(home)
        for number in range(1, 5):
            publisher.publish("sink", number)
        private_server.ensure(home)
        publisher.publish("sink", 5)
        wait_until(lambda: len(stream(client, settings)) == 6)
        assert [envelope.payload() for envelope in stream(client, settings)] == list(range(6))


def test_a_refused_message_is_not_kept(path: Path, settings: Settings, client: Client) -> None:
    client.data.one(Command(("SET", Keys(settings.namespace).inbox("sink"), "no stream")))
    with Publisher("src", settings=settings, outbox=path) as publisher:
        with pytest.raises(ServerRefused):
            publisher.publish("sink", 1)
        assert held(path) == 0


def test_a_publisher_that_closes_on_a_full_disk_lets_go_of_the_outbox(
    path: Path, settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 60.0)
    with Publisher("src", settings=settings, outbox=path) as publisher:
        publisher.publish("sink", 1)
        assert publisher._outbox is not None
        publisher._outbox.outbox._database._connection.execute("PRAGMA query_only = 1")
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.02)
    with Publisher("src", settings=settings, outbox=path):
        wait_until(lambda: len(project(client, settings)) == 1 and held(path) == 0)


def test_a_second_publisher_is_refused_and_a_dead_one_does_not_hold_the_file(path: Path, settings: Settings) -> None:
    first = Publisher("src", settings=settings, outbox=path)
    with pytest.raises(ConfigurationError, match="another publisher"):
        Publisher("src", settings=settings, outbox=path)
    first.close()
    Publisher("src", settings=settings, outbox=path).close()


def test_it_is_bounded(path: Path, settings: Settings, client: Client) -> None:
    with Publisher("src", settings=settings, outbox=path, max_outbox_bytes=1000, on_full="refuse") as publisher:
        publisher.publish("sink", "x" * 1000)
        with pytest.raises(PublisherFull):
            publisher.publish("sink", "y")
        assert held(path) == 1
    with pytest.raises(ConfigurationError, match="drops nothing"):
        Publisher("src", settings=settings, outbox=path, on_full="drop_oldest")


def test_with_wait_a_full_outbox_waits_for_the_projection(
    path: Path, settings: Settings, client: Client, projecting: None
) -> None:
    with Publisher("src", settings=settings, outbox=path, max_outbox_bytes=5_000) as publisher:
        for number in range(60):
            publisher.publish("sink", [number, "x" * 200])
            assert publisher._outbox is not None
            assert publisher._outbox.outbox.held_bytes < 6_000


def test_the_asyncio_publisher_keeps_too_and_its_tasks_share_commits(
    path: Path, settings: Settings, client: Client
) -> None:
    commits: list[int] = []

    async def scenario() -> None:
        async with AsyncPublisher("src", settings=settings, outbox=path) as publisher:
            assert publisher._outbox is not None
            keep = publisher._outbox.outbox.keep
            publisher._outbox.outbox.keep = lambda posts, now_us: [commits.append(len(posts)), keep(posts, now_us)][1]  # type: ignore[assignment, method-assign, func-returns-value, return-value]
            await asyncio.gather(*(publisher.publish("sink", number) for number in range(100)))

    asyncio.run(scenario())
    assert (sum(commits), held(path)) == (100, 100)
    assert len(commits) < 20
    assert len(project(client, settings)) == 100


def wipe(client: Client, settings: Settings) -> None:
    """What FLUSHALL would do, for this test's namespace alone."""
    keys = client.data.one(Command(("KEYS", f"{settings.namespace}:*")))
    for key in keys:
        client.data.one(Command(("DEL", key)))


@pytest.fixture
def projecting(environ: dict[str, str], settings: Settings) -> Iterator[None]:
    """A progress worker."""
    process = subprocess.Popen([sys.executable, "-m", "workers.progress"], env=environ, stderr=subprocess.DEVNULL)
    yield
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert os.path.exists(settings.database)


def test_a_delayed_message_and_an_outbox_do_not_go_together(settings: Settings, tmp_path: Path) -> None:
    with Publisher("src", settings=settings, outbox=tmp_path / "outbox.db") as publisher:
        with pytest.raises(ConfigurationError, match="not kept in the outbox"):
            publisher.publish("sink", 1, delay_s=5)
        assert publisher.publish("sink", 2)


def test_a_publish_on_the_thread_of_the_outbox_is_refused(
    path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `__del__` may run there, in the middle of a lock of the file."""
    refused: list[BaseException] = []
    with Publisher("src", settings=settings, outbox=path) as publisher:

        def publish(reached: bool) -> bool:
            try:
                publisher.publish("sink", 1)
            except PublisherBusy as error:
                refused.append(error)
            return reached

        monkeypatch.setattr(publisher._outbox, "turn", publish)
        publisher._outbox._wake.set()  # type: ignore[union-attr]
        wait_until(lambda: bool(refused))

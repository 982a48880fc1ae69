"""The progress worker as a process: it follows, survives, ends on a signal, and may be killed at any time."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from claude_comm.effects import Command, Operation, Post
from claude_comm.envelope import encode
from claude_comm.errors import ServerUnreachable
from claude_comm.names import PROGRESS_WORKER, Keys
from claude_comm.ops import heartbeats
from claude_comm.ops.publish import publish
from claude_comm.progress.events import FileOperation
from claude_comm.runtime import private_server
from claude_comm.settings import Settings
from claude_comm.store.database import Database, open_database
from claude_comm.store.verify import verify
from claude_comm.telemetry.logs import get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.errors_file import errors_to
from tests.support.examples import ALL
from tests.support.facts import envelope, happened
from tests.support.homes import child_environ
from tests.support.waiting import PATIENCE_S, wait_until
from workers import progress

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Start]:
    """Starts workers on the test's settings; whatever still runs at the end is killed by its handle."""
    with _starter(environ) as started:
        yield started


@contextlib.contextmanager
def _starter(environ: dict[str, str]) -> Iterator[Start]:
    children: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        children.append(
            subprocess.Popen([sys.executable, "-m", "workers.progress"], env=environ, stderr=subprocess.PIPE)
        )
        return children[-1]

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


def ask(*words: str | bytes | int) -> Operation[object]:
    return (yield Command(words))


def put(client: Client, settings: Settings, target: str, number: int, *, session: str = "") -> None:
    keys = Keys(settings.namespace)
    key = keys.stream(target)
    client.run(publish(keys, [Post(key, encode(envelope("a", target, session=session))) for _ in range(number)], [key]))


def stored(settings: Settings) -> int:
    with open_database(settings.database) as database:
        return int(database.rows("SELECT count(*) FROM messages")[0][0])


def ended(child: subprocess.Popen[bytes], by: int = signal.SIGTERM) -> list[dict[str, object]]:
    """Asks the worker to end; its log events, once it has ended well."""
    child.send_signal(by)
    _, errors = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 0, errors
    return [msgspec.json.decode(line) for line in errors.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="gives a running process room on its disk by prlimit")
def test_it_waits_for_room_on_its_disk_from_the_start(
    settings: Settings, client: Client, environ: dict[str, str]
) -> None:
    """A file that may not grow is a full disk: the database cannot even be made."""
    import resource

    put(client, settings, "b", 10)
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (512, -1)); "
        "from workers.progress import main; sys.exit(main())"
    )
    # A bytecode file that may not grow is cut off, and whoever imports it next fails.
    environ = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, stderr=subprocess.PIPE) as child:
        try:
            assert child.stderr is not None
            while b"projection.interrupted" not in (line := child.stderr.readline()):
                assert line, "it ended"
            resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            wait_until(lambda: stored(settings) == 10)
            assert "projection.resumed" in [event["event"] for event in ended(child)]
        finally:
            child.kill()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_follows_and_ends_on_a_signal(settings: Settings, client: Client, start: Start, by: int) -> None:
    """It says that it lives while it does, and takes that back when it ends."""
    put(client, settings, "b", 10)
    keys = Keys(settings.namespace)
    child = start()
    wait_until(lambda: stored(settings) == 10)

    def alive() -> list[str]:
        return client.run(heartbeats.workers_alive(keys, PROGRESS_WORKER, now_ms=time.time_ns() // 1_000_000))

    wait_until(lambda: len(alive()) == 1)
    events = [line["event"] for line in ended(child, by)]
    assert (events[0], events[-1]) == ("worker.started", "worker.stopped")
    assert alive() == []


def test_a_new_stream_is_read_soon(settings: Settings, client: Client, start: Start) -> None:
    """Also while the worker waits on the others, and when it began with none."""
    child = start()
    wait_until(lambda: settings.database.exists() and stored(settings) == 0)
    put(client, settings, "warm-up", 1)
    wait_until(lambda: stored(settings) == 1)
    for number in range(3):
        put(client, settings, f"new{number}", 1)
        # The worker promises 0.8 s; the rest is for a machine with other things to do.
        wait_until(lambda expected=number + 2: stored(settings) == expected)  # type: ignore[misc]
    ended(child)


def test_it_survives_a_restart_of_the_server(home: Path) -> None:
    """It waits, says so once, and goes on where it was."""
    settings = Settings(home=home, url=f"unix://{private_server.ensure(home)}")
    environ = child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_URL=settings.url)
    with _starter(environ) as start, connect(settings) as client:
        child = start()
        put(client, settings, "b", 5)
        wait_until(lambda: settings.database.exists() and stored(settings) == 5)
        private_server.stop(home)
        with pytest.raises(ServerUnreachable):
            client.run(ask("PING"))
        time.sleep(0.5)  # so that the worker meets a server that is not there
        private_server.ensure(home)
        put(client, settings, "b", 5)
        wait_until(lambda: stored(settings) == 10)
        events = [line["event"] for line in ended(child)]
    assert events.count("projection.interrupted") == 1
    assert "projection.resumed" in events


def test_nonsense_in_the_streams_stops_nothing(settings: Settings, client: Client, start: Start) -> None:
    """Entries that are no envelopes, and keys that are no streams."""
    keys = Keys(settings.namespace)
    client.run(ask("SET", keys.inbox("text"), "x"))
    client.run(ask("SADD", keys.streams, keys.inbox("text"), b"\xff"))
    child = start()
    put(client, settings, "b", 1)
    client.run(ask("XADD", keys.inbox("b"), "*", "e", b"\xc1"))
    client.run(ask("XADD", keys.inbox("b"), "*", "x", b"\x1b[2J"))
    put(client, settings, "b", 1)
    wait_until(lambda: settings.database.exists() and stored(settings) == 2)
    lines = ended(child)
    assert sum(int(str(line["entries"])) for line in lines if line["event"] == "projection.unreadable") == 2
    assert {line["key"] for line in lines if line["event"] == "projection.not_a_stream"} == {
        keys.inbox("text"),
        "\\xff",
    }
    client.run(ask("DEL", keys.inbox("text")))


def test_a_database_that_was_moved_away_is_made_anew(settings: Settings, client: Client, start: Start) -> None:
    """From the streams; writing on into a file that nobody can see would help no one."""
    child = start()
    put(client, settings, "b", 3)
    wait_until(lambda: settings.database.exists() and stored(settings) == 3)
    for file in settings.home.glob("claude-comm.db*"):
        with suppress(FileNotFoundError):  # the worker may have noticed it, and closed what lies beside it
            file.rename(file.with_suffix(file.suffix + ".away"))
    put(client, settings, "b", 1)
    wait_until(lambda: settings.database.exists() and stored(settings) == 4)
    assert "projection.database_replaced" in [line["event"] for line in ended(child)]


def test_a_locked_database_is_waited_for(
    settings: Settings, client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Longer than SQLite waits by itself: the page is read again when the lock is gone."""
    open_database(settings.database).close()
    monkeypatch.setattr(
        progress, "open_database", lambda path, **given: open_database(path, busy_timeout_s=0.05, **given)
    )
    stop = threading.Event()
    log = get_logger("info")
    with errors_to(tmp_path) as errors, open_database(settings.database) as holder, connect(settings) as own:
        worker = threading.Thread(target=progress.Follower(own, settings, stop, log).run)
        try:
            with holder.write():
                put(client, settings, "b", 7)
                worker.start()
                wait_until(lambda: "projection.interrupted" in errors.events())
            wait_until(lambda: stored(settings) == 7)
        finally:
            stop.set()
            worker.join()
    assert "projection.resumed" in errors.events()


def test_a_database_that_cannot_be_used_ends_it(settings: Settings, start: Start) -> None:
    """With the reason, and no traceback."""
    settings.database.write_bytes(b"something else" * 100)
    child = start()
    _, errors = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 1
    assert b"file is not a database" in errors
    assert b"Traceback" not in errors


# What follows shows that a worker may be killed anywhere.

# Twenty thousand, and twenty, in the long run.
MESSAGES, KILLS = (20_000, 20) if ALL else (8_000, 8)


class Publishing(threading.Thread):
    """Publishes all messages and an event for every hundredth, no further ahead than it is allowed to be."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings, self.allowed, self.published = settings, 0, 0

    def run(self) -> None:
        keys = Keys(self._settings.namespace)
        streams = [keys.inbox(name) for name in "bcd"]
        with connect(self._settings) as client:
            client.run(publish(keys, [], [*streams, keys.events("a")]))
            while self.published < MESSAGES:
                if self.published >= self.allowed:
                    time.sleep(0.001)
                    continue
                posts = [Post(streams[n % 3], encode(envelope("a", "bcd"[n % 3], session="s"))) for n in range(100)]
                event = happened("a", FileOperation("read", "p", "success", 3), session="s")
                client.run(publish(keys, [*posts, Post(keys.events("a"), encode(event))], []))
                self.published += len(posts)


def problems(database: Database, messages: int) -> list[str]:
    """What is not there exactly once."""
    found = {
        "messages": database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages"),
        "communications": database.rows("SELECT count(*), count(DISTINCT id) FROM module_communications"),
    }
    wrong = [f"{name}: {rows[0]}" for name, rows in found.items() if rows != [(messages, messages)]]
    sums = database.rows("SELECT files_processed, bytes_processed FROM session_stats")
    if sums != [(messages // 100, messages // 100 * 3)]:
        wrong.append(f"sums: {sums}")
    return wrong


@pytest.mark.long
@pytest.mark.by_chance
def test_kills_while_thousands_of_messages_are_published(settings: Settings, start: Start) -> None:
    """Each message is in the projection once, and each sum is what it would be without a kill."""
    chance = random.Random(7)
    publishing = Publishing(settings)
    publishing.start()
    cut_short = 0
    for life in range(1, KILLS + 1):
        before, share = stored(settings), MESSAGES // KILLS
        publishing.allowed = (life - 1) * share + share // 5
        child = start()
        wait_until(lambda before=before: stored(settings) > before)  # type: ignore[misc]
        # This life works; now comes the flood, and the end somewhere in it.
        publishing.allowed = life * share
        time.sleep(chance.uniform(0, 0.03))
        child.kill()
        assert child.wait() == -signal.SIGKILL
        cut_short += stored(settings) < publishing.allowed
    assert cut_short > KILLS // 4, "the kills came when there was nothing left to do"
    last = start()
    publishing.join(PATIENCE_S)
    with open_database(settings.database) as database:
        wait_until(lambda: not problems(database, MESSAGES), what=f"all of them: {problems(database, MESSAGES)}")
        assert database.rows("SELECT count(*) FROM unreadable") == [(0,)]
        time.sleep(0.2)  # what would still be doubled would be doubled now
        assert problems(database, MESSAGES) == []
        with connect(settings) as client:
            found = verify(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
        assert found.ok, found
    ended(last)


# Planted faults, in a child process alone: what the law forbids, done on purpose.
CHECKPOINT_AFTER_ROWS = """
import os, signal, sys
from claude_comm.store import catch_up, project, rows
from claude_comm.store.database import open_database
rows._ONCE_A_MESSAGE = rows._ONCE_AN_EVENT = ""
with open_database(os.environ["CLAUDE_COMM_HOME"] + "/claude-comm.db") as database, database.write() as writer:
    for index in ("messages_by_id", "events_by_id"):
        writer.execute(f"DROP INDEX IF EXISTS {index}")
save, later, batches = project.save_in, {}, []
project.save_in = lambda database, writer, moved: later.update(moved)
def in_two(database, pages):
    done = project.project(database, pages)
    batches.append(done)
    if sys.argv[1] == "die" and len(batches) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    with database.write() as writer:
        save(database, writer, later)
    return done
catch_up.project = in_two
"""
CHECKPOINT_BEFORE_ROWS = """
import os, signal, sys
from claude_comm.store import catch_up, project
batches = []
def in_two(database, pages):
    with database.write() as writer:
        known = project.load_in(database, writer)
        project.save_in(database, writer, {p.stream: project.Checkpoint(1, p.facts[-1].entry_id,
                        known[p.stream].entries + len(p.facts)) for p in pages})
    batches.append(pages)
    if sys.argv[1] == "die" and len(batches) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    with database.write() as writer:
        project.save_in(database, writer, known)
    return project.project(database, pages)
catch_up.project = in_two
"""
CATCH_UP = """
from claude_comm.runtime.environment import settings_of_process
from claude_comm.transport.connect import connect
from claude_comm.names import Keys
settings = settings_of_process()
with connect(settings) as client, open_database(settings.database) as database:
    catch_up.catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
"""
FAULTS = {"nothing": "import sys\nfrom claude_comm.store import catch_up\n", "doubled": CHECKPOINT_AFTER_ROWS,
          "lost": CHECKPOINT_BEFORE_ROWS}  # fmt: skip


@pytest.mark.parametrize("outcome", ["nothing", "doubled", "lost"])
def test_the_check_above_goes_red_when_the_checkpoint_is_not_in_the_same_transaction(
    settings: Settings, environ: dict[str, str], outcome: str
) -> None:
    """A death between rows and checkpoint doubles or loses a page; so the check can fail, and does."""
    publishing = Publishing(settings)
    publishing.allowed = MESSAGES
    publishing.start()
    publishing.join(PATIENCE_S)
    program = FAULTS[outcome] + "\nfrom claude_comm.store.database import open_database\n" + CATCH_UP
    ends = [
        subprocess.run([sys.executable, "-c", program, how], env=environ, check=False).returncode
        for how in ("die", "live")
    ]
    assert ends == [0 if outcome == "nothing" else -signal.SIGKILL, 0]
    with open_database(settings.database) as database:
        [(rows, distinct)] = database.rows("SELECT count(*), count(DISTINCT message_id) FROM messages")
        assert bool(problems(database, MESSAGES)) == (outcome != "nothing")
    assert {"nothing": rows == distinct == MESSAGES, "doubled": rows > distinct, "lost": distinct < MESSAGES}[outcome]

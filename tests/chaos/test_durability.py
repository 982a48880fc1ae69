"""What a returned publish survives: each test is a cell of the table in the README and in `docs/guarantees.md`.

The publishes are those of one publisher, the first half of them projected before the blow. What survived is what a
projection holds when all is over; where there was no outbox, the stream alone can still bring it.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from claude_comm import Publisher, Settings
from claude_comm.client.publisher import outbox_sender
from claude_comm.errors import TransportError
from claude_comm.names import Keys
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from tests.chaos.link import Link
from tests.chaos.server import ChaosServer
from tests.support.homes import child_environ
from tests.support.ports import free_port
from tests.support.waiting import wait_until

HALF = 25
ALL = list(range(2 * HALF))
OUTBOX = pytest.mark.parametrize("outbox", [False, True], ids=["no outbox", "outbox"])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The outbox looks around more often than it has to, and earlier: the disks here are as they are said to be."""
    monkeypatch.setattr(outbox_sender, "SETTLE_S", 0.3)
    monkeypatch.setattr(outbox_sender, "REVIEW_S", 0.02)
    monkeypatch.setattr(outbox_sender, "AUDIT_S", 0.1)


class Rig:
    """A server, a link to it, one publisher, one projection."""

    def __init__(self, folder: Path, fsync: str, *, outbox: bool, extra: tuple[str, ...] = ()) -> None:
        self.server = ChaosServer(folder / "server", fsync, extra)
        self.server.start()
        self.link = Link(folder / "link.sock", self.server.socket)
        self.settings = Settings(home=folder / "home", url=f"unix://{self.link.here}", namespace="d")
        self.publisher = Publisher("a", settings=self.settings, outbox=folder / "outbox.db" if outbox else None)
        self._sent = 0

    def publish_half(self) -> None:
        for number in ALL[self._sent : self._sent + HALF]:
            self.publisher.publish("b", number)
        self._sent += HALF

    def project(self) -> list[int]:
        """What the projection holds now, in the order of storing; each thing once."""
        keys = Keys(self.settings.namespace)
        with connect(self.settings) as client, open_database(self.settings.database) as database:
            catch_up(client, database, keys, max_bytes=self.settings.max_envelope_bytes)
            return [msgspec.msgpack.decode(data) for (data,) in database.rows("SELECT data FROM messages")]

    def streamed(self) -> list[int]:
        """What the server holds."""
        with self.server.client() as client:
            entries = client.xrange(Keys(self.settings.namespace).inbox("b"))
        return [msgspec.msgpack.decode(msgspec.msgpack.decode(fields[b"e"])["data"]) for _, fields in entries]

    def survivors(self, *, outbox: bool) -> list[int]:
        """What a projection holds in the end: where there is an outbox, as soon as it is everything."""
        if outbox:
            wait_until(lambda: sorted(self.try_project()) == ALL, what="everything that was published is stored once")
        return self.project()

    def wait_until_written(self) -> None:
        wait_until(lambda: self.server.unwritten_bytes() == 0, what="no flush holds back what was confirmed")

    def outbox_is_empty(self, folder: Path) -> bool:
        with closing(sqlite3.connect(folder / "outbox.db")) as outbox:
            return outbox.execute("SELECT count(*) FROM outbox").fetchone() == (0,)

    def try_project(self) -> list[int]:
        try:
            return self.project()
        except TransportError:
            return []

    def close(self) -> None:
        self.publisher.close()
        self.link.close()
        self.server.kill()


@pytest.fixture
def rigs() -> Iterator[list[Rig]]:
    """Those that the test has set up, to be taken down."""
    made: list[Rig] = []
    yield made
    for rig in made:
        rig.close()


def half_projected(rigs: list[Rig], folder: Path, fsync: str, *, outbox: bool) -> Rig:
    rig = Rig(folder, fsync, outbox=outbox)
    rigs.append(rig)
    rig.publish_half()
    assert rig.project() == ALL[:HALF]
    return rig


# Publishes without end, and says so after each.
ENDLESS = """
import sys
from claude_comm import Publisher
with Publisher("a", outbox=sys.argv[1] or None) as publisher:
    for number in range(10**9):
        publisher.publish("b", number)
        print(number, flush=True)
"""


@OUTBOX
def test_a_killed_client_takes_nothing_with_it_that_was_returned(folder: Path, rigs: list[Rig], outbox: bool) -> None:
    rig = Rig(folder, "off", outbox=False)
    rigs.append(rig)
    environ = child_environ(
        CLAUDE_COMM_HOME=str(rig.settings.home), CLAUDE_COMM_URL=rig.settings.url, CLAUDE_COMM_NAMESPACE="d"
    )
    words = [sys.executable, "-c", ENDLESS, str(folder / "child.outbox") if outbox else ""]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        child.kill()
        last = max([19, *(int(line) for line in child.stdout.read().split(b"\n") if line)])
    stored = rig.project()
    assert stored[: last + 1] == list(range(last + 1))
    assert len(stored) <= last + 2, "at most the one that was on its way beyond what had returned"


@OUTBOX
@pytest.mark.parametrize("fsync", ["off", "no", "everysec", "always"])
def test_a_killed_server(folder: Path, rigs: list[Rig], fsync: str, outbox: bool) -> None:
    """Without an append-only file the server forgets all; with one, a process that is killed has written what it
    confirmed, whenever that is flushed (but for `everysec` while a flush runs: there it is killed when none does)."""
    rig = half_projected(rigs, folder, fsync, outbox=outbox)
    rig.publish_half()
    if fsync == "everysec":
        rig.wait_until_written()
    rig.server.kill()
    rig.server.start()
    if fsync == "off" and not outbox:
        assert rig.streamed() == []
        assert rig.project() == ALL[:HALF], "nothing but what was projected before"
    else:
        assert sorted(rig.survivors(outbox=outbox)) == ALL


@OUTBOX
def test_a_server_that_is_killed_at_any_moment_keeps_a_beginning(folder: Path, rigs: list[Rig], outbox: bool) -> None:
    """With `everysec`, whatever is being flushed just then."""
    rig = half_projected(rigs, folder, "everysec", outbox=outbox)
    rig.publish_half()
    rig.server.kill()
    rig.server.start()
    survived = rig.survivors(outbox=outbox)
    if outbox:
        assert sorted(survived) == ALL
    else:
        assert survived == ALL[: max(len(survived), HALF)], "in order, and what was projected before"


# Every flush takes a second and a half, as on a disk that is busy.
SLOW_FLUSH = """
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static void wait_long(void) { struct timespec t = {1, 500000000}; nanosleep(&t, 0); }
int fdatasync(int fd) { wait_long(); return syscall(SYS_fdatasync, fd); }
int fsync(int fd) { wait_long(); return syscall(SYS_fsync, fd); }
"""


@pytest.mark.long
@pytest.mark.skipif(not (sys.platform == "linux" and shutil.which("cc")), reason="slows the disk with a library")
@pytest.mark.parametrize("fsync", ["no", "everysec"])
def test_a_server_killed_while_it_flushes_has_not_written_what_it_confirmed_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    """With `everysec` the server holds its writes back while a flush runs, for up to two seconds, and confirms all the
    same; with `no` it has none to wait for. So there a killed server loses less than with `everysec`."""
    (folder / "slow.c").write_text(SLOW_FLUSH)
    library = folder / "slow.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(folder / "slow.c")], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    server = ChaosServer(folder / "server", fsync)
    server.start()
    monkeypatch.delenv("LD_PRELOAD")
    try:
        confirmed, end = 0, time.monotonic() + 4
        with server.client() as client:
            while time.monotonic() < end:
                client.xadd("k", {"n": confirmed})
                confirmed += 1
                time.sleep(0.001)
        server.kill()
        server.start()
        with server.client() as client:
            kept = client.xlen("k")
    finally:
        server.kill()
    assert kept == confirmed if fsync == "no" else 0 < kept < confirmed


@OUTBOX
def test_a_cut_off_tail(folder: Path, rigs: list[Rig], outbox: bool) -> None:
    """A power cut under `everysec`, as far as it can be played: what was written since the last flush is gone."""
    rig = half_projected(rigs, folder, "everysec", outbox=outbox)
    rig.wait_until_written()
    flushed_bytes = rig.server.tail_file().stat().st_size
    rig.publish_half()
    rig.wait_until_written()
    rig.server.kill()
    cut(rig.server.tail_file(), flushed_bytes + 700)
    rig.server.start()
    survived = rig.survivors(outbox=outbox)
    if outbox:
        assert sorted(survived) == ALL
    else:
        assert survived == ALL[: len(survived)], "a beginning of what was published"
        assert HALF < len(survived) < len(ALL)


@OUTBOX
@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_a_lost_disk(folder: Path, rigs: list[Rig], fsync: str, outbox: bool) -> None:
    rig = half_projected(rigs, folder, fsync, outbox=outbox)
    rig.publish_half()
    rig.server.kill()
    (rig.server.folder / "appendonlydir").rename(folder / "moved-away")
    rig.server.start()
    survived = rig.survivors(outbox=outbox)
    assert sorted(survived) == (ALL if outbox else ALL[:HALF])


@OUTBOX
def test_a_failover_to_a_replica_that_was_behind(folder: Path, rigs: list[Rig], outbox: bool) -> None:
    port = free_port()
    rig = Rig(folder, "always", outbox=outbox, extra=("--port", str(port), "--bind", "127.0.0.1"))
    rigs.append(rig)
    extra = ("--replicaof", f"127.0.0.1 {port}", "--repl-diskless-sync-delay", "0")
    replica = ChaosServer(folder / "replica", "always", extra)
    replica.start()
    try:
        rig.publish_half()
        assert rig.project() == ALL[:HALF]
        with replica.client() as client:
            wait_until(lambda: client.xlen(Keys("d").inbox("b")) == HALF, what="the replica has the first half")
        with replica.client() as client:
            # Cut off from its master, which goes on for a while; then promoted.
            client.replicaof("NO", "ONE")
        rig.publish_half()
        rig.server.kill()
        rig.link.lead(replica.socket)
        survived = rig.survivors(outbox=outbox)
        assert sorted(survived) == (ALL if outbox else ALL[:HALF])
    finally:
        replica.kill()


def test_what_is_stored_and_not_handled_yet_is_not_handed_out_again_by_a_server_that_lost_its_disk(
    folder: Path, rigs: list[Rig]
) -> None:
    """The limit of the outbox: its receipt is the projection's, not the consumer's."""
    rig = half_projected(rigs, folder, "always", outbox=True)
    wait_until(lambda: rig.outbox_is_empty(folder), what="the outbox has its receipts")
    rig.server.kill()
    (rig.server.folder / "appendonlydir").rename(folder / "moved-away")
    rig.server.start()
    assert rig.project() == ALL[:HALF]
    assert rig.streamed() == []


def cut(file: Path, size: int) -> None:
    assert file.stat().st_size > size
    with file.open("r+b") as opened:
        opened.truncate(size)

"""The outbox of one publisher: messages on the local disk from before their first send until they are stored.

Law: `keep` returns when its messages survive a power cut (`synchronous = FULL`). Where a message landed is noted with
the next write, never in one of its own: a note that a crash loses costs a second sending under the same id, and no
message. One publisher at a time has the file.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from claude_comm.effects import Post
from claude_comm.errors import ConfigurationError, StoreError
from claude_comm.runtime.home import make_private_folders
from claude_comm.store.database import open_database
from claude_comm.store.statements import Writer

_MIGRATIONS = Path(__file__).parent / "migrations" / "outbox"


class Kept(msgspec.Struct, frozen=True):
    """A message in the outbox. `entry_id` is empty until the server has confirmed it."""

    number: int
    stream: str
    body: bytes
    entry_id: str
    kept_us: int

    @property
    def post(self) -> Post:
        return Post(self.stream, self.body)


class Outbox:
    """One outbox file; safe to share between threads. Raises ConfigurationError if another publisher has it open."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock_file = _lock(self.path)
        try:
            self._database = open_database(self.path, migrations=_MIGRATIONS, synchronous="FULL")
            (self.held_bytes,) = self._database.rows("SELECT coalesce(sum(length(body)), 0) FROM outbox")[0]
        except StoreError:
            os.close(self._lock_file)
            raise
        # May be entered again by a signal handler on the thread that is in it: then SQLite refuses, and nobody waits.
        self._mutex = threading.RLock()
        self._pid = os.getpid()
        self._landed: dict[int, str] = {}
        _outboxes.add(self)

    def keep(self, posts: Sequence[Post], now_us: int) -> list[int]:
        """Writes these messages, on the disk when this returns; their numbers. Raises StoreError, having kept none."""
        with self._mutex:
            self._check()
            return self._keep(posts, now_us)

    def _keep(self, posts: Sequence[Post], now_us: int) -> list[int]:
        with self._database.write() as writer:
            landed = self._note(writer)
            (last,) = writer.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()
            numbers = list(range(last + 1, last + 1 + len(posts)))
            rows = [(number, post.stream, post.body, now_us) for number, post in zip(numbers, posts, strict=True)]
            writer.executemany("INSERT INTO outbox (number, stream, body, kept_us) VALUES (?, ?, ?, ?)", rows)
        # Not before the commit: what a full disk refused is not held.
        self._noted(landed)
        self.held_bytes += sum(len(post.body) for post in posts)
        return numbers

    def landed(self, entries: Iterable[tuple[int, str]]) -> None:
        """Remembers where messages are in their streams; written with the next `keep`, `drop` or `close`."""
        with self._mutex:
            self._landed.update(entries)

    def drop(self, sizes: Mapping[int, int]) -> None:
        """Forgets these messages, given by number with the bytes that each holds."""
        if sizes:
            with self._mutex:
                with self._database.write() as writer:
                    landed = self._note(writer)
                    writer.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in sizes])
                self._noted(landed)
                self.held_bytes -= sum(sizes.values())

    def not_after(self, now_us: int) -> None:
        """Dates messages kept by a clock ahead of ours as kept now: else they would stay young for too long."""
        with self._mutex:
            if self._database.rows("SELECT 1 FROM outbox WHERE kept_us > ? LIMIT 1", (now_us,)):
                with self._database.write() as writer:
                    writer.execute("UPDATE outbox SET kept_us = ? WHERE kept_us > ?", (now_us, now_us))

    def sent(self, *, after: int, before_us: int, limit: int) -> list[Kept]:
        """What the server confirmed and was kept before that time, in order, from behind a number on."""
        return self._select("number > ? AND entry_id != '' AND kept_us < ?", (after, before_us, limit))

    def unsent(self, *, limit: int) -> list[Kept]:
        """What the server has not confirmed, in order."""
        return self._select("entry_id = ''", (limit,))

    def naming_chunks(self, *, after: int, limit: int) -> list[Kept]:
        """Those that may name chunks of large payloads, in order, from behind a number on."""
        return self._select("number > ? AND instr(body, x'C420') > 0", (after, limit))

    def close(self) -> None:
        """Lets go of the file, whatever the disk says: what was not noted is sent once more, under the same id."""
        if self._pid != os.getpid():
            return  # the database is the parent's, and its lock was let go of after the fork
        with self._mutex:
            try:
                with suppress(StoreError):
                    self._note_landed()
            finally:
                self._database.close()
                os.close(self._lock_file)

    def after_fork(self) -> None:
        """In the child: the file stays the parent's."""
        with suppress(OSError):
            os.close(self._lock_file)
        self._mutex = threading.RLock()

    def _select(self, where: str, values: tuple[int, ...]) -> list[Kept]:
        with self._mutex:
            self._note_landed()
            return self._database.records(
                Kept,
                f"SELECT number, stream, body, entry_id, kept_us FROM outbox WHERE {where} ORDER BY number LIMIT ?",
                values,
            )

    def _note_landed(self) -> None:
        if self._landed:
            with self._database.write() as writer:
                landed = self._note(writer)
            self._noted(landed)

    def _note(self, writer: Writer) -> dict[int, str]:
        """Writes where messages are; what was written, to be forgotten once it is committed."""
        landed = dict(self._landed)
        writer.executemany(
            "UPDATE outbox SET entry_id = ? WHERE number = ?", [(id_, number) for number, id_ in landed.items()]
        )
        return landed

    def _noted(self, landed: Mapping[int, str]) -> None:
        for number in landed:
            self._landed.pop(number, None)

    def refuse_fork(self) -> NoReturn:
        """In a process that was forked, raises StoreError."""
        raise StoreError(
            f"the outbox {self.path} belongs to the process that opened it: in the process that was forked, open a "
            "publisher with a file of its own."
        )

    def _check(self) -> None:
        """Raises StoreError where what is kept would be kept nowhere."""
        if self._database.replaced():
            raise StoreError(
                f"the outbox {self.path} was deleted or replaced while it was in use: this message was not kept. "
                "Close the publisher and open it again; what its old file held is sent while this process lives."
            )


_outboxes: weakref.WeakSet[Outbox] = weakref.WeakSet()


def _after_fork() -> None:
    """A child keeps no lock of its parent's: it would hold the file after that has died."""
    for outbox in list(_outboxes):
        outbox.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _lock(path: Path) -> int:
    """Holds a file beside the outbox for as long as it is open; the system lets go of it when the process dies."""
    beside = path.with_name(path.name + ".lock")
    try:
        make_private_folders(beside.parent)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"the outbox {path} cannot be opened: {error.strerror}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigurationError(
            f"another publisher has the outbox {path} open: give each its own file, one per process."
        ) from None
    return descriptor

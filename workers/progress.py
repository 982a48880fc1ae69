"""The progress worker: keeps the projection up with the streams.

Runs as `claude-comm worker progress` or `python -m workers.progress`. SIGTERM and SIGINT finish the batch at hand and
exit 0. A server that goes away, a database that is locked or a disk that is full are waited for; what the worker
cannot mend (no database, a newer schema, a wrong setting) ends it. Any number may run at once, and any may be killed.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time

from claude_comm.client.identity import identify
from claude_comm.errors import StoreError, StoreNotReady, TransportError
from claude_comm.names import PROGRESS_WORKER, Keys
from claude_comm.runtime.heartbeat import Heartbeat, beating
from claude_comm.runtime.outage import Outage
from claude_comm.runtime.signals import DRAIN_S, stopped_by_signals
from claude_comm.runtime.worker_processes import Report, unheard
from claude_comm.settings import Settings
from claude_comm.store import session_members, task_ends
from claude_comm.store.absences import Absences
from claude_comm.store.catch_up import CatchUpStep, first_count, step, trust_of
from claude_comm.store.database import Database, open_database
from claude_comm.store.retention import Pruned, prune_step
from claude_comm.store.shape_marks import marks_of
from claude_comm.store.shapes import STEP, Folder
from claude_comm.store.watermarks import reporter_of
from claude_comm.telemetry.logs import EventLog, get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from claude_comm.version import __version__
from workers.following import Following
from workers.program import program

# On a cluster no read waits, so the worker does: doubling from the first to the last while nothing comes.
FIRST_IDLE_S, LAST_IDLE_S = 0.001, 0.1
# How often new messages are folded into shapes, while the worker is not behind, and for how long at once.
FOLD_S, FOLDING_S = 1.0, 0.2
# How often what is too old, or too much, is looked for.
PRUNE_S = 10.0
# How often sessions are looked for whose processes died.
SESSIONS_S = 5.0
# About ten pages.
_GARBAGE_OBJECTS = 100_000


class Follower:
    """The worker's loop and what it carries from one turn to the next."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        stop: threading.Event,
        log: EventLog,
        report: Report = unheard,
    ) -> None:
        self._client, self._settings, self._stop, self._log = client, settings, stop, log
        self._keys = Keys(settings.namespace)
        self._following = Following(client, self._keys, log)
        self._count = first_count(1)
        self._behind = False
        self._prune_at = self._sessions_at = self._fold_at = 0.0
        self._folder: Folder | None = None
        self._members, self._modules = Absences(), Absences()
        self._idle_s = FIRST_IDLE_S
        self._reporter = reporter_of(settings, follows=True)
        self._trust = trust_of(settings)
        self._outage = Outage(log, "projection", report)

    def run(self) -> None:
        """Follows until told to stop. Raises StoreError when the database cannot be opened at the start, for a reason
        that does not pass."""
        database = self._opened()
        while database is not None and not self._stop.is_set():
            try:
                if database.replaced():
                    database.close()
                    self._log.warning("projection.database_replaced", path=str(database.path))
                    database = self._open()
                    self._following.begin_anew()
                self._turn(database)
            except (TransportError, StoreError) as error:
                self._following.begin_anew()
                self._stop.wait(self._outage.met(error))
            else:
                self._outage.over()
        if database is not None:
            database.close()

    def _opened(self) -> Database | None:
        """The database, as soon as the disk has room and nobody locks it; None when told to stop before."""
        while not self._stop.is_set():
            try:
                return self._open()
            except StoreNotReady as error:
                self._stop.wait(self._outage.met(error))
        return None

    def _open(self) -> Database:
        return open_database(self._settings.database, max_payload_bytes=self._settings.projection_payload_bytes)

    def _turn(self, database: Database) -> None:
        """One look at the streams, if it is time, and one page of those that are awake."""
        streams = self._following.turn(database)
        done = step(
            self._client,
            database,
            streams,
            count=self._count,
            block_ms=self._following.block_ms,
            max_bytes=self._settings.max_envelope_bytes,
            behind=self._behind,
            beside=self._following.beside,
            trust=self._trust,
        )
        self._count, self._behind = done.count, done.behind
        self._following.read(done, database)
        self._rest(done)
        self._reporter.report(self._client, database, self._keys)
        self._fold(database)
        self._prune(database)
        self._end_sessions(database)
        self._report(done)

    def _fold(self, database: Database) -> None:
        """Some of the messages that are in no shape yet, if it is time and nothing else waits."""
        began = time.monotonic()
        if self._behind or began < self._fold_at:
            return
        while self._folded(database) == STEP:
            if time.monotonic() - began > FOLDING_S:
                return  # the rest when the streams were looked at
        self._fold_at = time.monotonic() + FOLD_S

    def _folded(self, database: Database) -> int:
        if self._folder is None or self._folder.database is not database:
            self._folder = Folder(database, marks_of(self._client, self._keys))
        return self._folder.step()

    def _prune(self, database: Database) -> None:
        """One short transaction of retention, if it is time; more with each turn while there is more to remove."""
        now, settings = time.monotonic(), self._settings
        if not (settings.projection_keep_s or settings.projection_max_bytes) or now < self._prune_at:
            return
        if self._folded(database):
            return  # what goes leaves its shape behind
        before_us = time.time_ns() // 1000 - int(settings.projection_keep_s * 1e6) if settings.projection_keep_s else 0
        removed = prune_step(database, before_us=before_us, max_bytes=settings.projection_max_bytes)
        if removed == Pruned():
            self._prune_at = now + PRUNE_S
        else:
            self._log.debug("projection.pruned", messages=removed.messages, events=removed.events)

    def _rest(self, done: CatchUpStep) -> None:
        """Waits where no read has waited: on a cluster, while nothing comes, and where there is nothing to read."""
        if done.read:
            self._idle_s = FIRST_IDLE_S
        elif self._client.data.reach == "cluster" or not (self._following.beside or self._following.awake):
            self._stop.wait(self._idle_s)
            self._idle_s = min(self._idle_s * 2, LAST_IDLE_S)

    def _end_sessions(self, database: Database) -> None:
        """Tells the end of sessions and tasks whose processes died, if it is time to look for them."""
        now_s = time.monotonic()
        if now_s < self._sessions_at:
            return
        self._sessions_at = now_s + SESSIONS_S
        given = (self._client, database, self._keys, time.time_ns() // 1000)
        limit = self._settings.max_envelope_bytes
        if ended := session_members.end_dead(*given, max_bytes=limit, absences=self._members):
            self._log.info("projection.sessions_died", sessions=ended)
        if left := task_ends.end_left(*given, max_bytes=limit, absences=self._modules):
            self._log.info("projection.tasks_left", tasks=left)

    def _report(self, done: CatchUpStep) -> None:
        added = done.projected
        if added.entries:
            self._log.debug("projection.stored", entries=added.entries, messages=added.messages, events=added.events)
        if added.newer:
            self._log.warning("projection.newer", entries=added.newer)
        if added.doubtful:
            self._log.warning("projection.doubtful", entries=added.doubtful)
        if added.unreadable:
            self._log.warning("projection.unreadable", entries=added.unreadable)


def run(settings: Settings, report: Report = unheard) -> int:
    """Works until it is told to stop; the exit code. Raises StoreError when the database cannot be used at all."""
    log = get_logger(settings.log_level, worker=PROGRESS_WORKER)
    identity = identify(PROGRESS_WORKER, settings)
    instance = identity.instance
    stop = threading.Event()
    _collect_garbage_seldom()
    with stopped_by_signals(stop, DRAIN_S), connect(settings, identity.signer) as client:
        log.info(
            "worker.started", instance=instance, pid=os.getpid(), version=__version__, database=str(settings.database)
        )
        heartbeat = Heartbeat(client.run, Keys(settings.namespace).workers, f"{PROGRESS_WORKER}/{instance}", log)
        with beating(heartbeat, log):
            Follower(client, settings, stop, log, report).run()
        log.info("worker.stopped", instance=instance)
    return 0


def _collect_garbage_seldom() -> None:
    """A page is thousands of objects in no cycle: looking through them, and through all modules, takes a tenth."""
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS)


def main() -> int:
    return program(run)


if __name__ == "__main__":
    sys.exit(main())

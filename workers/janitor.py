"""The janitor: moves what is due, clears up behind instances and pipeline runs that are gone, and trims the streams.

Runs as `claude-comm worker janitor` or `python -m workers.janitor`. SIGTERM and SIGINT finish the step at hand and
exit 0. A server that goes away is waited for. Any number may run at once, and any may be killed: each step is whole on
the server, and doing it twice is the same as once.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from claude_comm.client.identity import identify
from claude_comm.delivery.attention import Attention
from claude_comm.delivery.retention import Keep, tightest
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.names import JANITOR_WORKER, Keys, Stream
from claude_comm.ops import (
    dead,
    follow,
    lag,
    later,
    news,
    outdated,
    reap,
    registration,
    server,
    sessions,
    trim,
)
from claude_comm.ops.publish import EVICTS
from claude_comm.runtime.heartbeat import Heartbeat, beating
from claude_comm.runtime.home import MAX_LOG_BYTES, log_files, rotate
from claude_comm.runtime.outage import Outage
from claude_comm.runtime.position_trust import believed_positions
from claude_comm.runtime.signals import DRAIN_S, stopped_by_signals
from claude_comm.runtime.worker_processes import Report, unheard
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import EventLog, get_logger
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from claude_comm.version import __version__
from workers.program import program

# A second's messages of one stream are a few thousand entries: little to trim at a time, and little memory to hold.
DUE_EVERY_S, LOOK_EVERY_S, REAP_EVERY_S, ROTATE_EVERY_S, SESSIONS_EVERY_S = 0.5, 1.0, 5.0, 60.0, 60.0
# How long a stream of which there was news is looked at every second: until a projection has reported as durable what
# was written, which takes ten seconds.
AWAKE_S = 2 * news.AWAKE_S
# How often all streams are listed: every second where they are few.
LIST_EVERY_S, LISTED_PER_S = 1.0, 200
# In how many turns of reaping, and at least how many a turn, all streams are looked at for names that are long silent.
SWEEP_TURNS, LEAST_SWEPT = 120, 50
# The bound is far: that a module is beyond it for some minutes matters to nobody.
DEAD_EVERY_S = 300.0
# What is removed has been of no use for an hour.
AGREEMENTS_EVERY_S = 1800.0


# How many different warnings are said and remembered.
MAX_WARNED = 1_000


class Janitor:
    """The worker's loop: its duties, each at its own pace."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        stop: threading.Event,
        log: EventLog,
        report: Report = unheard,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._client, self._settings, self._stop, self._log = client, settings, stop, log
        self._keys = Keys(settings.namespace)
        self._duties: list[tuple[Callable[[], None], float]] = [
            (self._move_due, DUE_EVERY_S),
            (self._look, LOOK_EVERY_S),
            (self._reap, REAP_EVERY_S),
            (self._bound_dead, DEAD_EVERY_S),
            (self._rotate, ROTATE_EVERY_S),
            (self._look_after_sessions, SESSIONS_EVERY_S),
            (self._forget_agreements, AGREEMENTS_EVERY_S),
        ]
        self._at = dict.fromkeys(range(len(self._duties)), 0.0)
        self._attention = Attention(AWAKE_S)
        self._position: str | None = None
        self._list_at = 0.0
        # When the next message beside a stream is due (ms), where any waits.
        self._due_ms: dict[str, int] = {}
        self._kept: Keep | None = None
        self._unused_since: outdated.Unused = {}
        self._silent: dict[str, int] = {}
        # The silent ones behind which everything is cleared up.
        self._cleared: dict[str, int] = {}
        self._swept: deque[str] = deque()
        self._warned: set[str] = set()
        self._believed = believed_positions(settings)
        self._outage = Outage(log, "janitor", report)
        self._heartbeat, self._said = heartbeat, False

    def run(self) -> None:
        """Works until told to stop."""
        while not self._stop.is_set():
            try:
                self._turn()
            except TransportError as error:
                self._said = False
                if isinstance(error, ServerUnreachable):
                    self._silent, self._position = {}, None
                self._stop.wait(self._outage.met(error))
            else:
                self._outage.over()
                self._stop.wait(max(min(self._at.values()) - time.monotonic(), 0))

    def _turn(self) -> None:
        """The duties whose time it is."""
        refusal: ServerRefused | None = None
        try:
            self._say_alive()
        except ServerRefused as refused:
            refusal = refused
        self._listen()
        for number, (duty, every_s) in enumerate(self._duties):
            if time.monotonic() >= self._at[number]:
                try:
                    duty()
                except ServerRefused as refused:
                    # A permission that one duty lacks keeps no other from being done.
                    refusal = refused
                self._at[number] = time.monotonic() + every_s
        if refusal is not None:
            raise refusal

    def _say_alive(self) -> None:
        """At the beginning, and after a trouble: where there is nothing to do, a server that takes no writes would not
        be noticed."""
        if self._heartbeat is not None and not (self._said and self._heartbeat.reached):
            self._heartbeat.beat()
            self._said = True

    def _listen(self) -> None:
        """Which streams there are, and which of them are written to."""
        attention, now = self._attention, time.monotonic()
        if self._position is None:
            # What is told from here on is news; what was told before is looked at now.
            self._position = self._client.run(news.now(self._keys))
            self._list_at = 0.0
            attention.all_due()
        else:
            heard = self._client.run(news.after(self._keys, self._position))
            self._position = heard.last_id
            attention.news(heard.streams, now)
            if heard.lost:
                attention.all_due()
        if now >= self._list_at:
            attention.know(self._client.run(follow.announced(self._keys)).streams)
            self._list_at = now + max(len(attention.streams) / LISTED_PER_S, LIST_EVERY_S)

    def _move_due(self) -> None:
        self._see_waiting(self._attention.awake(time.monotonic()))
        for stream, next_ms in list(self._due_ms.items()):
            at_ms: int | None = next_ms
            while at_ms is not None and at_ms <= _now_ms() and not self._stop.is_set():
                moved = self._client.run(later.move_due(self._keys, stream, now_ms=_now_ms()))
                self._log.debug("janitor.moved", stream=stream, messages=moved.count)
                self._note_due(stream, moved.next_ms)
                at_ms = moved.next_ms
                if moved.count:
                    self._client.run(news.tell(self._keys, [stream]))

    def _see_waiting(self, streams: Sequence[Stream]) -> None:
        """Notes when the next message beside each of these is due."""
        keys = [stream.key for stream in streams if stream.kind != "events"]
        waiting = self._client.run(later.waiting(keys))
        for key in keys:
            self._note_due(key, waiting[key].next_ms if key in waiting else None)

    def _note_due(self, stream: str, next_ms: int | None) -> None:
        if next_ms is None:
            self._due_ms.pop(stream, None)
        else:
            self._due_ms[stream] = next_ms

    def _look(self) -> None:
        """Looks at the streams whose time it is: trims them, and sees what waits beside them."""
        keep = self._keep()
        if self._kept is not None and keep != self._kept:
            # A server that runs out of memory: what was to stay may go, everywhere.
            self._attention.all_due()
        self._kept = keep
        if streams := self._attention.due(time.monotonic()):
            self._see_waiting(streams)
            self._trim(streams, keep)

    def _trim(self, streams: Sequence[Stream], keep: Keep) -> None:
        keys = [stream.key for stream in streams]
        wait_s = self._settings.projection_wait_s
        projections = self._client.run(self._believed.awaited(self._keys, wait_s, keys))
        for projection in projections:
            for stream_key in sorted(projection.unreadable):
                self._warn("registry.unreadable", f"projection {projection.name} has no position for {stream_key}")
        entries = size = 0
        lost: ServerUnreachable | None = None
        for stream in streams:
            if self._stop.is_set():
                break
            try:
                trimmed = self._client.run(trim.trim(stream, projections, keep, now_ms=_now_ms()))
            except ServerUnreachable as error:
                if self._client.data.reach != "cluster":
                    raise
                # One of its masters is away: the streams of the others are trimmed all the same.
                lost = error
                continue
            now, moved = time.monotonic(), trimmed.entries > 0
            self._attention.looked(stream.key, now, chance=random.random(), moved=moved)
            entries, size = entries + trimmed.entries, size + trimmed.bytes
            if moved:
                self._log.debug("janitor.stream_trimmed", stream=stream.key, entries=trimmed.entries)
        if entries:
            self._log.info("janitor.trimmed", entries=entries, bytes=size, short_of_memory=keep == Keep(0, 0))
        if lost is not None:
            raise lost

    def _keep(self) -> Keep:
        """How much stays that is done: what the fullest server can hold. Warns of what a server cannot promise."""
        servers, wanted = self._client.run_on_each(server.may_tell), self._settings
        if None in servers:
            self._warn("janitor.memory_unknown", "this user may not ask for INFO: what is done stays as long as is set")
        if any(facts is not None and facts.evicts for facts in servers):
            self._warn("server.evicts", EVICTS)
        return tightest([server.keeping(facts, wanted.keep_s, wanted.keep_entries) for facts in servers])

    def _warn(self, event: str, why: str) -> None:
        """Says it once."""
        if why not in self._warned and len(self._warned) < MAX_WARNED:
            self._warned.add(why)
            self._log.warning(event, why=why)

    def _reap(self) -> None:
        silent = self._client.run(reap.silent(self._keys, now_ms=_now_ms()))
        dead = {instance for instance, last_ms in silent.items() if self._silent.get(instance) == last_ms}
        self._silent = silent
        cleared = {instance: at for instance, at in self._cleared.items() if silent.get(instance) == at}
        new = dead - cleared.keys()
        streams = [*self._read_by({instance.partition("/")[0] for instance in new}), *self._next_swept()]
        by_stream = self._client.run(lag.groups(list(dict.fromkeys(streams))))
        groups = {stream: [group.name for group in groups_of] for stream, groups_of in by_stream.items()}
        reaped = self._client.run(reap.reap(groups, dead))
        self._cleared = {**cleared, **{instance: silent[instance] for instance in new}}
        for module, _, instance in (member.partition("/") for member in sorted(new)):
            # What it ran may have nobody left: who agreed with it negotiates again.
            self._client.run(registration.leave(self._keys, module, instance, now_us=_now_ms() * 1000))
        if reaped.given_back or reaped.left:
            self._log.info("janitor.reaped", given_back=reaped.given_back, left=list(reaped.left))

    def _read_by(self, modules: set[str]) -> list[str]:
        """The streams that these modules may have read: their inboxes, and every topic."""
        if not modules:
            return []
        known = self._attention.streams
        return [
            stream.key
            for stream in known
            if stream.kind == "topic" or (stream.kind == "inbox" and stream.name in modules)
        ]

    def _next_swept(self) -> list[str]:
        """The next of all streams to search for consumers that were silent for a day: few at a time."""
        if not self._swept:
            self._swept.extend(stream.key for stream in self._attention.streams if stream.kind != "events")
        most = max(len(self._attention.streams) // SWEEP_TURNS, LEAST_SWEPT)
        return [self._swept.popleft() for _ in range(min(most, len(self._swept)))]

    def _look_after_sessions(self) -> None:
        """Keeps what waits in the joins of pipeline runs that live, and removes what is left of those that are over."""
        for session in self._client.run(sessions.everything(self._keys)):
            if session.is_over(_now_ms() * 1000):
                self._client.run(sessions.remove(self._keys, session))
                self._log.info("session.removed", session=session.session, pipeline=session.pipeline)
            else:
                self._client.run(sessions.renew(self._keys, session))

    def _forget_agreements(self) -> None:
        """Removes agreements that no version of a contract and no message can use any more."""
        ids = self._client.run(outdated.outdated(self._keys, self._unused_since, now_us=_now_ms() * 1000))
        if ids:
            removed = self._client.run(outdated.remove(self._keys, ids))
            self._log.info("janitor.agreements_removed", agreements=removed)

    def _bound_dead(self) -> None:
        """Drops the oldest of what a module has buried beyond the bound, and says so."""
        keep = self._settings.keep_dead
        for module, count in self._client.run(dead.lengths(self._keys)).items():
            if count > keep and (gone := self._client.run(dead.drop_oldest(self._keys, module, keep))):
                self._log.warning("janitor.dead_dropped", module=module, messages=gone, kept=keep)

    def _rotate(self) -> None:
        """Keeps the logs of the home bounded."""
        for path in log_files(self._settings.home):
            try:
                if rotate(path, MAX_LOG_BYTES):
                    self._log.info("log.rotated", path=str(path))
            except OSError as error:
                self._warn("log.not_rotated", f"{path}: {error.strerror}")


def run(settings: Settings, report: Report = unheard) -> int:
    """Works until it is told to stop; the exit code."""
    log = get_logger(settings.log_level, worker=JANITOR_WORKER)
    identity = identify(JANITOR_WORKER, settings)
    instance = identity.instance
    stop = threading.Event()
    with stopped_by_signals(stop, DRAIN_S), connect(settings, identity.signer) as client:
        log.info("worker.started", instance=instance, pid=os.getpid(), version=__version__)
        heartbeat = Heartbeat(client.run, Keys(settings.namespace).workers, f"{JANITOR_WORKER}/{instance}", log)
        with beating(heartbeat, log):
            Janitor(client, settings, stop, log, report, heartbeat).run()
        log.info("worker.stopped", instance=instance)
    return 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def main() -> int:
    return program(run)


if __name__ == "__main__":
    sys.exit(main())

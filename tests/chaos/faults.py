"""The faults: drawn from the seed, one after another, and counted by kind when they struck.

Law: which fault, whom it strikes and for how long comes from the seed alone; the machine decides in the midst of what.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import redis

from tests.chaos.plan import Plan
from tests.chaos.poison import KINDS, Fields, poison, readable
from tests.chaos.record import Recorder
from tests.chaos.stage import Stage
from tests.chaos.verdict import BadEntry

# Stops are shorter than a lease: a longer one is a death, and kills are that.
STOP_S = (0.1, 1.0)
SERVER_DOWN_S = (0.02, 0.4)
# How long who was asked to end stays away.
AWAY_S = (0.0, 3.0)
# Longer than clients wait for a reply.
HALF_OPEN_S = (1.0, 8.0)
# How long a server that was told to give up its place, or to become empty, is given to come so far; nothing else
# strikes it meanwhile.
REPLACED_WITHIN_S, EMPTY_WITHIN_S = 8.0, 30.0
NOWHERE = ("127.0.0.1", 1)
# What is counted beside bad entries.
COPY = "copied message"

State = Callable[[redis.Redis], object]


def _jam(client: redis.Redis) -> None:
    """It cannot write a snapshot, and takes nothing in once it has tried."""
    client.config_set("save", "3600 1000000")
    client.config_set("dbfilename", "appendonlydir")
    with suppress(redis.ResponseError):
        client.bgsave()


def _unjam(client: redis.Redis) -> None:
    client.config_set("dbfilename", "dump.rdb")
    client.config_set("save", "")


class Faults:
    """Strikes what is due at each `tick`."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self._plan, self._stage = plan, stage
        self._chance, self._entry_chance = random.Random(plan.seed), random.Random(plan.seed + 1)
        self.struck: Counter[str] = Counter()
        self.entries: Counter[str] = Counter()
        self.bad: list[BadEntry] = []
        # The bodies of all bad entries, known where the server's answer was lost.
        self.bad_bodies: set[bytes] = set()
        now = time.monotonic()
        self._next_at, self._next_entry_at = now + self._gap(), now
        self._server_back_at = self._memory_back_at = 0.0
        # A state of the server that is over at a moment, by what ends it; and until when a large one is under way.
        self._states: list[tuple[float, State]] = []
        self._replaced_until = self._empty_until = self._lead_at = 0.0
        self._log = Recorder(stage.folder / "faults.log")
        self._locks: list[tuple[float, sqlite3.Connection]] = []

    def tick(self) -> None:
        now = time.monotonic()
        self._mend(now)
        if self._empty_until:
            self._empty_at_rest(now)
            return
        if now >= self._next_at:
            self._next_at = now + self._gap()
            self._strike(now)
        if now >= self._next_entry_at and self._plan.entries_per_s:
            self._next_entry_at = now + self._entry_chance.expovariate(self._plan.entries_per_s)
            self._write_entry()

    def end(self) -> None:
        """Everything stands again."""
        stage, self._empty_until = self._stage, 0.0
        stage.quiet.unlink(missing_ok=True)
        while self._replaced_until:
            self._mend(time.monotonic())
            time.sleep(0.02)
        self._mend(float("inf"))
        stage.server.wait()
        # Where the server was away when its memory was to come back.
        self._mend(float("inf"))
        for child in stage.everyone:
            child.resume()

    def _gap(self) -> float:
        return self._chance.expovariate(self._plan.faults_per_s) if self._plan.faults_per_s else float("inf")

    def _mend(self, now: float) -> None:
        if self._server_back_at and now >= self._server_back_at:
            self._server_back_at = 0.0
            if self._stage.server.stopped:
                self._stage.server.resume()
            else:
                self._stage.server.start(wait=False)
        if self._replaced_until and (self._stage.replaced() or now >= self._replaced_until):
            self._replaced_until, self._lead_at = 0.0, now + self._chance.uniform(0, 1.0)
        if self._lead_at and now >= self._lead_at:
            self._lead_at = 0.0
            self._stage.link.lead(self._stage.server.socket)
        while self._states and now >= self._states[0][0] and not self._server_back_at:
            if not self._tell(self._states[0][1]):
                break
            self._states.pop(0)
        if self._memory_back_at and now >= self._memory_back_at and not self._server_back_at:
            self._memory_back_at = 0.0 if self._set_memory(0) else now + 0.1
        while self._locks and now >= self._locks[0][0]:
            self._locks.pop(0)[1].close()

    def _strike(self, now: float) -> None:
        faults = self._plan.faults
        (kind,) = self._chance.choices(list(faults), list(faults.values()))
        lot, share = self._chance.random(), self._chance.random()
        verb, _, whom = kind.partition(" ")
        seconds = STOP_S[0] + share * (STOP_S[1] - STOP_S[0])
        if whom == "server":
            hit = not self._replaced_until and self._strike_server(verb, now, share, seconds)
        elif verb == "lock":
            hit = self._lock(whom, lot, now, seconds)
        elif verb in ("kill", "stop", "fill", "end"):
            hit = self._strike_child(verb, whom, lot, seconds if verb != "end" else share * AWAY_S[1])
        else:
            hit = self._strike_link(verb, whom, seconds if verb != "half-open" else share * HALF_OPEN_S[1])
        if hit:
            self.struck[kind] += 1
            # For whoever looks for the cause of something: the time is that of the handlings in the records.
            self._log.line(time.monotonic_ns(), kind, f"{lot:.2f}", f"{seconds:.2f}")

    def _strike_server(self, verb: str, now: float, share: float, seconds: float) -> bool:
        if self._server_back_at or self._lead_at or self._stage.server_at:
            return False
        match verb:
            case "fill":
                return self._fill_memory(now, seconds)
            case "demote":
                promote: State = lambda client: client.replicaof("NO", "ONE")  # noqa: E731
                return self._state(now + 2 * seconds, lambda client: client.replicaof(*NOWHERE), promote)
            case "jam":
                return self._state(now + 2 * seconds, _jam, _unjam)
            case "replace":
                if self._states or not self._stage.replaceable():
                    return False
                self._replaced_until = now + REPLACED_WITHIN_S
                return True
            case "flush":
                return self._begin_to_empty(now)
        low, high = SERVER_DOWN_S if verb == "kill" else STOP_S
        self._server_back_at = now + low + share * (high - low)
        if verb == "kill":
            self._stage.server.kill()
        else:
            self._stage.server.pause()
        return True

    def _state(self, until: float, begin: State, end: State) -> bool:
        """The server is in another state for a while, one after the other."""
        if self._states or not self._tell(begin):
            return False
        self._states.append((until, end))
        return True

    def _tell(self, what: State) -> bool:
        try:
            with self._stage.server.client(timeout_s=0.5) as client:
                what(client)
        except redis.RedisError:
            return False
        return True

    def _begin_to_empty(self, now: float) -> bool:
        """Nothing is sent any more until all that was is handled and stored: only then nothing is lost with it."""
        self._mend(float("inf"))
        self._stage.quiet.touch()
        self._empty_until = now + EMPTY_WITHIN_S
        return False  # counted when it is done

    def _empty_at_rest(self, now: float) -> None:
        with suppress(redis.RedisError, sqlite3.Error):
            if not self._stage.unrest() and not self._stage.unrest():
                self._stage.empty()
                self.struck["flush server"] += 1
                self._log.line(time.monotonic_ns(), "flush server")
                self._empty_until = 0.0
        if now > self._empty_until:
            self._empty_until = 0.0
        if not self._empty_until:
            self._stage.quiet.unlink(missing_ok=True)

    def _strike_child(self, verb: str, role: str, lot: float, seconds: float) -> bool:
        alive = [child for child in self._stage.children[role] if child.up]
        if not alive:
            return False
        child = alive[int(lot * len(alive))]
        if verb == "kill":
            child.kill()
        elif verb == "stop":
            child.pause(seconds)
        elif verb == "end":
            child.ask_to_end(seconds)
        else:
            child.fill_disk(seconds)
        return True

    def _fill_memory(self, now: float, seconds: float) -> bool:
        """The server takes nothing more in (its policy is noeviction) until it is given room again."""
        if self._server_back_at or self._memory_back_at or not self._set_memory(1):
            return False
        self._memory_back_at = now + seconds
        return True

    def _set_memory(self, max_bytes: int) -> bool:
        try:
            with self._stage.server.client(timeout_s=0.5) as client:
                client.config_set("maxmemory", max_bytes)
        except redis.RedisError:
            return False
        return True

    def _lock(self, what: str, lot: float, now: float, seconds: float) -> bool:
        """Another process holds the database for writing."""
        stage = self._stage
        paths = [stage.outbox(child) for child in stage.children["publisher"]]
        if what == "projection":
            paths = [stage.database(child) for child in stage.children["projection"]]
        there = [path for path in paths if path.exists()]
        if not there:
            return False
        connection = sqlite3.connect(there[int(lot * len(there))], timeout=0.05, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            connection.close()
            return False
        self._locks.append((now + seconds, connection))
        self._locks.sort(key=lambda lock: lock[0])
        return True

    def _strike_link(self, verb: str, way: str, seconds: float) -> bool:
        link = self._stage.link
        if verb == "cut":
            link.cut()
        elif verb == "tear":
            link.tear("request" if way == "request" else "reply")
        elif verb == "half-open":
            link.half_open(seconds)
        else:
            link.stall(seconds)
        return True

    def _write_entry(self) -> None:
        """A copy of an entry, or a bad one, onto one of the streams; not while the server is away."""
        if self._server_back_at or self._replaced_until or self._stage.server_at:
            return
        chance, stage = self._entry_chance, self._stage
        target = chance.choice(list(stage.targets))
        group = stage.targets[target]
        stream = chance.choice((stage.keys.stream(target), stage.keys.stream(target), stage.keys.events(group)))
        copied = chance.random() < 0.5
        kind = chance.choice(KINDS)
        try:
            with stage.server.client(timeout_s=2.0) as client:
                sound = [fields for _, fields in client.xrevrange(stream, count=50) if readable(fields)]
                if not sound:
                    return
                fields: Fields = dict(chance.choice(sound))
                if copied:
                    client.xadd(stream, fields)
                    self.entries[COPY if stream == stage.keys.stream(target) else "copied event"] += 1
                    return
                bad = poison(kind, fields[b"e"], target, time.time_ns() // 1000, chance)
                self.bad_bodies.add(bad.get(b"e", b""))
                entry_id = client.xadd(stream, bad).decode()
        except redis.RedisError:
            return
        self.entries[f"bad: {kind}"] += 1
        consumed = group if stream == stage.keys.stream(target) else ""
        self.bad.append(BadEntry(stream, entry_id, kind, consumed, readable(bad)))

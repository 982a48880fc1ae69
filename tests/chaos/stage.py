"""Everyone who takes part in a run: the servers, the link, the children, and what they leave behind."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import redis

from claude_comm.names import TOPIC_PREFIX, Keys
from tests.chaos.child import Child
from tests.chaos.link import Link
from tests.chaos.plan import Plan
from tests.chaos.server import ChaosServer
from tests.chaos.tamper import DEADLY
from tests.support.homes import child_environ
from tests.support.ports import free_port

NAMESPACE = "chaos"
ROLES = ("publisher", "consumer", "projection", "janitor", "negotiation")
TOPIC = "news"
# Several may die as they begin, on a busy machine.
START_S = 180.0
# Which control strikes whom; the rest of the children are as shipped.
STRUCK = {
    "ack-before-handling": "consumer",
    "group-at-end": "consumer",
    "checkpoint-before-rows": "projection",
    "no-deduplication": "projection",
    "backwards": "consumer",
    "stands-still": "consumer",
    "ends-by-itself": "projection",
    "stray-key": "projection",
    "counts-unseen": "consumer",
}


class Stage:
    """Sets up, starts and ends a run in a folder of its own (short: sockets lie in it)."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder, self.keys = plan, folder, Keys(NAMESPACE)
        self._chance = random.Random(plan.seed + 2)
        ports = [free_port(), free_port()] if plan.replica else []
        # The first one is what the link leads to; the other one, where there is one, follows it.
        self.servers = [
            ChaosServer(folder / f"server{number or ''}", plan.fsync, ("--port", str(port), "--bind", "127.0.0.1"))
            for number, port in enumerate(ports)
        ] or [ChaosServer(folder / "server", plan.fsync)]
        self.ports = ports
        self.server_at = time.monotonic() + self._chance.uniform(0, plan.late_s)
        self.link = Link(folder / "link.sock", self.server.socket)
        self.quiet = folder / "quiet"
        # What lay on the dead streams before the server was emptied: by module.
        self.dead: list[tuple[str, dict[bytes, bytes]]] = []
        self.children: dict[str, list[Child]] = {role: [] for role in ROLES}
        self.records = folder / "records"
        self.records.mkdir()
        self._publishers()
        self._consumers()
        for number in range(plan.projections):
            self._add("projection", f"projection-{number}", "tests.chaos.worker", "progress", direct=number == 0)
        for worker, wanted in (("janitor", plan.janitor), ("negotiation", plan.negotiation)):
            if wanted:
                self._add(worker, worker, "tests.chaos.worker", worker)

    @property
    def server(self) -> ChaosServer:
        """The one that all talk to."""
        return self.servers[0]

    @property
    def everyone(self) -> Iterator[Child]:
        for children in self.children.values():
            yield from children

    @property
    def targets(self) -> dict[str, str]:
        """What is published to, and the module that reads it."""
        return {TOPIC_PREFIX + TOPIC if name == TOPIC else name: name for name in self.plan.consumers}

    def outbox(self, child: Child) -> Path:
        return self.folder / f"{child.name}.outbox"

    def database(self, child: Child) -> Path:
        return self.folder / child.name / "claude-comm.db"

    def record(self, name: str) -> Path:
        return self.records / name

    def start(self) -> None:
        """Everyone, in any order, and returns when each consumer has handled something."""
        consumers = self.children["consumer"]
        for child in self.everyone:
            last = self.plan.consumers_last and child in consumers
            child.start_later(float("inf") if last else self._chance.uniform(0, self.plan.late_s))
        if self.plan.consumers_last:
            self._wait(self.children["publisher"], b"\nR ")
            for child in consumers:
                child.start_later(0)
        self._wait(consumers, b"\n")

    def tick(self) -> None:
        now = time.monotonic()
        if self.server_at and now >= self.server_at:
            self.server_at = 0.0
            for server, master in zip(self.servers, (0, *self.ports[:1]), strict=True):
                server.follows = master
                server.start(wait=False)
        for child in self.everyone:
            child.tick(now)

    def replaceable(self) -> bool:
        """Asks the server to give its place to the one that follows it; whether it begins to."""
        try:
            with self.server.client(timeout_s=1.0) as client:
                client.execute_command("FAILOVER", "TIMEOUT", 5000)
        except redis.RedisError:
            return False
        return True

    def replaced(self) -> bool:
        """Whether the other one has taken its place; then the two change roles here as well."""
        if len(self.servers) < 2 or self.servers[1].role() != "master" or self.servers[0].role() != "slave":
            return False
        self.servers.reverse()
        self.ports.reverse()
        self.servers[0].follows, self.servers[1].follows = 0, self.ports[0]
        return True

    def empty(self) -> None:
        """FLUSHALL, after what is evidence was put aside."""
        with self.server.client() as client:
            self.gather_dead(client)
            client.flushall()

    def gather_dead(self, client: redis.Redis) -> None:
        for module in self.plan.consumers:
            self.dead += [(module, fields) for _, fields in client.xrange(self.keys.dead(module))]

    def unrest(self) -> str:
        """What is not at rest yet, in words; empty when all is."""
        for child in self.children["publisher"]:
            if kept := _count(self.outbox(child), "SELECT count(*) FROM outbox"):
                return f"{kept} messages in the outbox of {child.name}"
        with self.server.client() as client:
            try:
                return self._unread(client) or self._behind(client)
            except redis.RedisError as error:
                return f"the server does not answer: {error}"

    def close(self) -> None:
        """Ends the children, well."""
        self.server.resume()
        for children in self.children.values():
            for child in children:
                child.end()

    def destroy(self) -> None:
        """Whatever still runs is killed."""
        for child in self.everyone:
            child.kill()
        self.link.close()
        for server in self.servers:
            server.kill()

    def _publishers(self) -> None:
        for number in range(self.plan.publishers):
            name = f"p{number}"
            words: list[object] = [name, self.record(name), self.quiet, "--targets", *self.targets]
            words += ["--per-second", self.plan.messages_per_s]
            if number < self.plan.outboxes:
                words += ["--outbox", self.folder / f"{name}.outbox"]
            self._add("publisher", name, "tests.chaos.publisher", *words, direct=number == 0)

    def _consumers(self) -> None:
        for module in self.plan.consumers:
            for number in range(2 if module == "pool" else 1):
                name = f"{module}-{number}"
                words: list[object] = [module, self.record(name), "--slow-ms", self.plan.slow_ms]
                if module in self.plan.bare:
                    words += ["--bare"]
                if module != "pool":
                    words += ["--instance", name]
                elif number:
                    words += ["--coroutine"]
                if module == TOPIC:
                    words += ["--topic", TOPIC]
                self._add("consumer", name, "tests.chaos.consumer", *words, direct=name in ("pool-0", "news-0"))

    def _add(self, role: str, name: str, module: str, *words: object, direct: bool = False) -> None:
        direct = direct and not self.plan.replica
        control = self.plan.control if STRUCK.get(self.plan.control) == role else ""
        environ = child_environ(
            CLAUDE_COMM_HOME=str(self.folder / name),
            CLAUDE_COMM_URL=f"unix://{self.server.socket if direct else self.link.here}",
            CLAUDE_COMM_NAMESPACE=NAMESPACE,
            CLAUDE_COMM_LOG_LEVEL="warning",
            CLAUDE_COMM_KEEP_S=str(self.plan.keep_s),
        )
        tampered = ["--control", control] if control else []
        mortal = ["--die", self.plan.dies[name]] if name in self.plan.dies else []
        deaths = self.plan.deaths
        if control in DEADLY:
            tampered, mortal, deaths = [], tampered, 1
        if name in self.plan.clocks:
            # With a sign in front it would be taken for an option.
            tampered.append(f"--clock={self.plan.clocks[name]}")
        self.children[role].append(
            Child(
                name,
                module,
                [*words, *tampered],
                environ,
                self.folder / f"{name}.log",
                mortal=mortal,
                deaths=deaths,
            )
        )

    def _wait(self, children: list[Child], mark: bytes) -> None:
        """Until each has this in its record."""
        deadline = time.monotonic() + START_S
        while idle := [child.name for child in children if mark not in self._recorded(child)]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{', '.join(idle)} did nothing within {START_S:g} s")
            self.tick()
            time.sleep(0.01)

    def _recorded(self, child: Child) -> bytes:
        record = self.record(child.name)
        return record.read_bytes() if record.exists() else b""

    def _unread(self, client: redis.Redis) -> str:
        for target, group in self.targets.items():
            stream = self.keys.stream(target)
            if not client.exists(stream):
                continue  # the server was emptied, and nothing was sent there since
            if waiting := client.zcard(self.keys.later_of(stream)):
                return f"{waiting} messages wait beside {stream}"
            last = client.xinfo_stream(stream)["last-generated-id"]
            names = [told["name"] for told in client.xinfo_groups(stream)]
            if group.encode() not in names and client.xlen(stream):
                return f"{group} has not come back to {stream} since the server was emptied"
            for told in client.xinfo_groups(stream):
                if told["name"] == group.encode() and (told["pending"] or told["last-delivered-id"] != last):
                    return f"{group} has {told['pending']} pending, and read to {told['last-delivered-id']} of {last}"
        return ""

    def _behind(self, client: redis.Redis) -> str:
        for child in self.children["projection"]:
            if not self.database(child).exists():
                return f"{child.name} has no database yet"
            with closing(_open(self.database(child))) as database:
                points = dict(database.execute("SELECT stream, entry_id FROM checkpoints"))
            for key in client.smembers(self.keys.streams):
                last = client.xinfo_stream(key)["last-generated-id"].decode() if client.exists(key) else "0-0"
                if points.get(key.decode(), "0-0") != last:
                    return f"{child.name} is at {points.get(key.decode())} of {last} in {key.decode()}"
        return ""


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


def _count(path: Path, query: str) -> int:
    if not path.exists():
        return 0
    with closing(_open(path)) as database:
        return int(database.execute(query).fetchone()[0])

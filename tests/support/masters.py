"""Three masters on loopback ports, each a process of this run in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from redis.crc import key_slot

from claude_comm.effects import Command
from claude_comm.errors import TransportError
from claude_comm.runtime import private_server
from claude_comm.transport.pool import ConnectionPool
from tests.support.homes import new_home
from tests.support.ports import free_port
from tests.support.waiting import wait_until

SLOTS = 16384


class Master:
    """One process, and a client that speaks to it alone and follows nothing."""

    def __init__(self, home: Path, port: int, bus: int, node_timeout_ms: int, fsync: str) -> None:
        self.port, self.bus = port, bus
        self._options = f"--cluster-node-timeout {node_timeout_ms} --appendfsync {fsync}"
        self.folder = home / str(port)
        self.folder.mkdir()
        self.client = ConnectionPool(f"redis://127.0.0.1:{port}")
        self._start()

    def ask(self, *words: Any) -> Any:
        return self.client.one(Command(words))

    def info(self) -> bytes:
        try:
            return bytes(self.ask("CLUSTER", "INFO"))
        except TransportError:
            return b""

    @property
    def id(self) -> str:
        return str(self.ask("CLUSTER", "MYID").decode())

    def streams(self, namespace: str) -> list[str]:
        """The inboxes and topics of this namespace that it holds."""
        return [key.decode() for key in self.ask("KEYS", f"{namespace}:*") if key.endswith((b":inbox", b":topic"))]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.client.close()
        self.kill()

    def restart(self) -> None:
        self.kill()
        self._start()
        wait_until(lambda: b"cluster_state:ok" in self.info(), what="the master's return")

    def _start(self) -> None:
        words = f"--port {self.port} --cluster-port {self.bus} --bind 127.0.0.1 --cluster-enabled yes --save  "
        words += f"--appendonly yes {self._options} --dir {self.folder}"
        self.process = subprocess.Popen([str(private_server.binary()), *words.split(" ")], stdout=subprocess.DEVNULL)


class Masters:
    """The cluster: who has what, and slots moved from one to another, in steps or at once."""

    def __init__(self, nodes: list[Master]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """One seed alone: the others are found."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def owner(self, key: str) -> Master:
        slot = key_slot(key.encode())
        for first, last, node, *_ in self.nodes[0].ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(one for one in self.nodes if one.port == node[1])
        raise AssertionError(f"nobody has slot {slot}")

    def other_than(self, node: Master) -> Master:
        return next(one for one in self.nodes if one is not node)

    def begin_move(self, key: str, source: Master, target: Master) -> None:
        slot = key_slot(key.encode())
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)

    def move_keys(self, key: str, source: Master, target: Master) -> None:
        """All keys of the slot of this key that there are now."""
        slot = key_slot(key.encode())
        while found := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *found)

    def end_move(self, key: str, target: Master) -> None:
        slot = key_slot(key.encode())
        for node in [target, *(one for one in self.nodes if one is not target)]:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    def move(self, key: str, target: Master | None = None) -> Master:
        """Moves the slot of this key to another master, which it returns."""
        source = self.owner(key)
        target = target or self.other_than(source)
        self.begin_move(key, source, target)
        self.move_keys(key, source, target)
        self.end_move(key, target)
        return target

    def move_at_once(self, key: str) -> Master:
        """The same by the server's own means, which servers before Valkey 9 do not have."""
        source, slot = self.owner(key), key_slot(key.encode())
        target = self.other_than(source)
        source.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target.id)
        wait_until(lambda: self.owner(key) is target, what="the slot's move")
        return target


@contextmanager
def three_masters(*, node_timeout_ms: int = 5000, fsync: str = "everysec") -> Iterator[Masters]:
    """Up and agreed on who has what. After `node_timeout_ms` without an answer they call a node failed.

    A test that kills one needs `fsync="always"`: with `everysec` a server answers before it writes while a flush is
    under way, and a kill then loses what was confirmed.
    """
    home = new_home()
    try:
        with ExitStack() as stack:
            nodes = []
            for _ in range(3):
                nodes.append(Master(home, free_port(), free_port(), node_timeout_ms, fsync))
                stack.callback(nodes[-1].close)
            _join(nodes)
            yield Masters(nodes)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def modules_on_all(masters: Masters, namespace: str, count: int = 6) -> list[str]:
    """Names of modules whose inboxes are spread over all masters, in turn."""
    by_owner: dict[int, list[str]] = {node.port: [] for node in masters.nodes}
    number = 0
    while min(map(len, by_owner.values())) < count // 3:
        name = f"m{number}"
        by_owner[masters.owner(f"{namespace}:{{m:{name}}}:inbox").port].append(name)
        number += 1
    return [name for names in zip(*by_owner.values(), strict=False) for name in names][:count]


def _join(nodes: list[Master]) -> None:
    share = -(-SLOTS // len(nodes))
    for number, node in enumerate(nodes):
        wait_until(lambda node=node: bool(node.info()), what="a master's start")  # type: ignore[misc]
        node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, min((number + 1) * share, SLOTS) - 1)
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in nodes[1:]:
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
    for node in nodes:
        wait_until(lambda node=node: _knows_all(node, len(nodes)))  # type: ignore[misc]


def _knows_all(node: Master, count: int) -> bool:
    return b"cluster_state:ok" in node.info() and len(node.ask("CLUSTER", "SLOTS")) == count


@contextmanager
def lone_server() -> Iterator[int]:
    """The port of one server that is no cluster."""
    home, port = new_home(), free_port()
    words = f"--port {port} --bind 127.0.0.1 --save  --appendonly yes --dir {home}".split(" ")
    process = subprocess.Popen([str(private_server.binary()), *words], stdout=subprocess.DEVNULL)
    client = ConnectionPool(f"redis://127.0.0.1:{port}")
    try:
        wait_until(lambda: _answers(client), what="the server's start")
        yield port
    finally:
        client.close()
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _answers(client: ConnectionPool) -> bool:
    try:
        return bool(client.one(Command(("PING",))) == b"PONG")
    except TransportError:
        return False

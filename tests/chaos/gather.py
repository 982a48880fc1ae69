"""From what a run left behind (records, databases, dead streams, logs) to the evidence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from tests.chaos.faults import Faults
from tests.chaos.poison import STRANGER
from tests.chaos.record import Mark, check, read
from tests.chaos.stage import NAMESPACE, Stage
from tests.chaos.verdict import Evidence, Handled, Row
from tests.support.key_page import unlisted


def gather(stage: Stage, faults: Faults, idle: list[str], restless: str, quiet_ns: tuple[int, int]) -> Evidence:
    """Asks the server, so it must still stand."""
    evidence = Evidence(
        groups=stage.targets,
        ordered={name for name in stage.plan.consumers if name in stage.plan.ordered},
        bad=list(faults.bad),
        ended=[words for child in stage.everyone for words in child.crashed],
        idle=idle,
        endless=endless(stage),
        restless=restless,
        quiet_ns=quiet_ns,
    )
    for child in stage.children["publisher"]:
        _published(evidence, child.name, stage.record(child.name))
        evidence.sent_again += _sent_again(stage.folder / f"{child.name}.log")
    for child in stage.children["consumer"]:
        _handled(evidence, child.name.partition("-")[0], stage.record(child.name))
    for handled in evidence.handled.values():
        handled.sort(key=lambda one: one.at_ns)
    for child in stage.children["projection"]:
        _stored(evidence, child.name, stage.database(child))
    _buried(evidence, stage, faults)
    return evidence


def endless(stage: Stage) -> list[str]:
    """Keys that would stay for ever, and that the page of keys does not have."""
    with stage.server.client() as client:
        return unlisted([key.decode() for key in client.scan_iter(count=1000) if client.ttl(key) == -1], NAMESPACE)


def _published(evidence: Evidence, source: str, record: Path) -> None:
    for words in read(record):
        if words[0] == "T":
            evidence.tried[source, words[1], int(words[3])] = words[2]
        elif words[0] == "R":
            evidence.returned.add((source, words[1], int(words[2])))
        else:
            evidence.raised.add((source, words[1], int(words[2])))


def _handled(evidence: Evidence, module: str, record: Path) -> None:
    handled = evidence.handled.setdefault(module, [])
    for words in read(record):
        if words[0] == "H":
            _, source, target, type_, number, at_ns = words
            handled.append(Handled((source, target, int(number)), type_, int(at_ns)))
        elif words[0] == "F":
            evidence.failed_once += 1
        else:
            evidence.strange_handled.append(" ".join(words))


def _stored(evidence: Evidence, name: str, path: Path) -> None:
    evidence.stored[name], evidence.unreadable[name] = [], set()
    if not path.exists():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        found = database.execute("SELECT source, target, type, stream, data FROM messages ORDER BY number")
        evidence.stored[name] = [_row(*row) for row in found if row[0] != STRANGER]
        evidence.unreadable[name] = set(
            database.execute("SELECT stream, entry_id FROM unreadable UNION SELECT stream, entry_id FROM newer")
        )


def _row(source: str, target: str, type_: str, stream: str, data: bytes) -> Row:
    try:
        mark = msgspec.msgpack.decode(data, type=Mark)
    except msgspec.MsgspecError:
        return Row(source, target, type_, stream, -1, sound=False)
    return Row(source, target, type_, stream, mark.number, sound=mark.check == check(source, target, mark.number))


def _sent_again(log: Path) -> int:
    """How many messages the outbox says that the server had lost."""
    lines = log.read_bytes().splitlines() if log.exists() else []
    return sum(msgspec.json.decode(line)["messages"] for line in lines if b'"outbox.lost_by_the_server"' in line)


def _buried(evidence: Evidence, stage: Stage, faults: Faults) -> None:
    with stage.server.client() as client:
        stage.gather_dead(client)
    for module, fields in stage.dead:
        evidence.buried.add((fields[b"stream"].decode(), fields[b"entry"].decode()))
        if fields.get(b"e", b"") not in faults.bad_bodies:
            evidence.unjust.append(f"by {module}: {fields[b'reason'].decode(errors='replace')}")

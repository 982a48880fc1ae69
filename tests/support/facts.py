"""Entries of streams, made by hand: what the tests of the projection feed it."""

from __future__ import annotations

import itertools

import msgspec

from claude_comm.envelope import Envelope, encode, pack
from claude_comm.ids import uuid7
from claude_comm.names import Keys, Stream
from claude_comm.progress.events import EVENT_TYPE, Buried, Event, Handled, Retried, Settled
from claude_comm.progress.fold import StreamEntry, fold_page
from claude_comm.store.database import Database
from claude_comm.store.project import FactPage, Projected, project

KEYS = Keys("t")
START_US = 1_760_000_000_000_000
_numbers = itertools.count(1)


def stream(key: str) -> Stream:
    parsed = KEYS.parse_stream(key.encode())
    assert parsed is not None
    return parsed


def inbox(module: str) -> Stream:
    return stream(KEYS.inbox(module))


def events(module: str) -> Stream:
    return stream(KEYS.events(module))


def envelope(source: str = "a", target: str = "b", *, data: object = None, **fields: object) -> Envelope:
    number = next(_numbers)
    given: dict[str, object] = {"time": START_US + number, "id": uuid7(START_US + number, number.to_bytes(8, "big"))}
    return Envelope(**{**given, "source": source, "target": target, "data": pack(data), **fields})  # type: ignore[arg-type]


def happened(module: str, event: Event, *, session: str = "", **fields: object) -> Envelope:
    return envelope(module, module, type=EVENT_TYPE, data=event, session=session, **fields)


def settled(message: Envelope, *, after_us: int = 5000, attempts: int = 1) -> Settled:
    return Settled(message.source, message.id, message.time, message.time + after_us, attempts)


def handled(module: str, *messages: Envelope, after_us: int = 5000) -> Envelope:
    return happened(module, Handled([settled(message, after_us=after_us) for message in messages]))


def retried(module: str, message: Envelope, *, attempts: int = 1) -> Envelope:
    failed = settled(message, attempts=attempts)
    return happened(module, Retried(failed, "ValueError: no", failed.settled_us + 1_000))


def buried(module: str, message: Envelope, reason: str = "no") -> Envelope:
    return happened(module, Buried(settled(message, attempts=3), reason, "/n"))


def entry(number: int, body: Envelope | bytes) -> StreamEntry:
    return (f"{number}-0".encode(), [b"e", body if isinstance(body, bytes) else encode(body)])


def page(of: Stream, *bodies: Envelope | bytes, first: int = 1, epoch: int = 1) -> FactPage:
    facts = fold_page(of, [entry(first + index, body) for index, body in enumerate(bodies)])
    return FactPage(of.key, epoch, facts, packed=len(facts) > len(bodies))


def put(database: Database, *pages: FactPage) -> Projected:
    return project(database, pages)


def dump(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but the checkpoints, without the numbers that only the order of arrival decides."""
    columns = {
        "messages": "source, message_id, target, session, time_us, stream, entry_id",
        "module_communications": "session_id, source_module, target_module, status, metrics, created_at",
        "deliveries": "source, message_id, consumer, status, attempts, reason, burials",
        "events": "source, event_id, module, kind",
        "session_stats": "session_id, files_processed, errors_encountered, bytes_processed, modules_active, "
        "start_time, end_time",
        "file_operations": "session_id, operation_type, file_path, status, details, created_at",
        "progress": "module, task, completed, total",
        "unreadable": "stream, entry_id, reason, prefix",
    }
    return {table: sorted(database.rows(f"SELECT {names} FROM {table}")) for table, names in columns.items()}


def raw(value: object) -> bytes:
    return msgspec.msgpack.encode(value)

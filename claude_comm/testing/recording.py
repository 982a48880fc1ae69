"""Recorded traffic: the deliveries of a module in the past, out of the projection, as lines of JSON.

Law: what is recorded is what the projection knows: the message, how its delivery ended, the reply, and what the module
sent because of it. Ahead of the deliveries stand the contracts of the modules that took them, as they were then: a
replay from the file finds adapters as one from the projection does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from claude_comm.delivery.reply import FAILURE_TYPE, REPLY_TYPE
from claude_comm.envelope import UNREADABLE
from claude_comm.errors import ClaudeCommError, DecodeError, EncodeError
from claude_comm.json_form import json_form
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import Json
from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.records import DeliveryRow, MessageRow

# How the line of a contract begins; that of a delivery begins with its id.
_CONTRACT_LINE = '{"contract":'


class RecordedSend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that a handler sent, under which agreement (empty: none). Of a request, `reply` is what it was
    answered."""

    target: str
    type: str
    data: Json
    agreement: str = ""
    request: bool = False
    reply: Json = None


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One delivery: the message in JSON form, how it ended (`handled`, `buried` or `retrying`) and in what time
    (milliseconds), the reply, and what was sent because of it."""

    id: str
    source: str
    consumer: str
    type: str
    data: Json
    status: str
    took_ms: float
    target: str = ""
    session: str = ""
    agreement: str = ""
    time_us: int = 0
    reason: str = ""
    path: str = ""
    attempts: int = 1
    request: bool = False
    reply: Json = None
    sent: list[RecordedSend] = []


class RecordedContract(msgspec.Struct, frozen=True):
    """The contract of a module whose deliveries follow, as it was when they were recorded."""

    contract: Contract


class UnreadableRecording(ClaudeCommError):
    """A file that cannot be read, or is no recording."""

    exit_code = 2


def recorded(database: Database, *, module: str = "", session: str = "") -> Iterator[Recorded]:
    """The deliveries of a module, or of all, in one session, or in all, the earliest first. A message whose payload
    was too large to be stored, or has no JSON form, is left out."""
    for row in reversed(queries.messages(database, session=session)):
        if row.type in (REPLY_TYPE, FAILURE_TYPE):
            continue
        for delivery in queries.deliveries(database, row):
            if module in ("", delivery.consumer) and (form := _form(row)) is not None:
                yield _recorded(database, row, delivery, form[0])


def _recorded(database: Database, row: MessageRow, delivery: DeliveryRow, form: Json) -> Recorded:
    caused = [other for other in queries.related(database, row.id, limit=1_000) if other.causation == row.id]
    reply = next((other for other in caused if _answers(other, delivery.consumer)), None)
    return Recorded(
        id=row.id,
        source=row.source,
        consumer=delivery.consumer,
        type=row.type,
        data=form,
        status=delivery.status,
        took_ms=delivery.latency_ms,
        target=row.target,
        session=row.session,
        agreement=row.agreement,
        time_us=row.time_us,
        reason=delivery.reason,
        path=delivery.path,
        attempts=delivery.attempts,
        request=bool(row.reply_to),
        reply=_payload(reply),
        sent=[
            _sent(database, other)
            for other in sorted(caused, key=lambda other: other.id)
            if other.source == delivery.consumer and other.type not in (REPLY_TYPE, FAILURE_TYPE)
        ],
    )


def _answers(row: MessageRow, consumer: str) -> bool:
    return row.source == consumer and row.type == REPLY_TYPE


def _sent(database: Database, row: MessageRow) -> RecordedSend:
    reply = None
    if row.reply_to:
        answers = queries.related(database, row.id, limit=100)
        reply = next((other for other in answers if other.causation == row.id and other.type == REPLY_TYPE), None)
    return RecordedSend(
        target=row.target,
        type=row.type,
        data=_payload(row),
        agreement=row.agreement,
        request=bool(row.reply_to),
        reply=_payload(reply),
    )


def _payload(row: MessageRow | None) -> Json:
    form = _form(row) if row is not None else None
    return form[0] if form is not None else None


def _form(row: MessageRow) -> tuple[Json] | None:
    try:
        return (json_form(row.payload()),)
    except (DecodeError, EncodeError):
        return None


def write(recording: Sequence[Recorded], contracts: Iterable[Contract] = ()) -> str:
    """One line of JSON for each contract and each delivery."""
    lines: list[RecordedContract | Recorded] = [*map(RecordedContract, contracts), *recording]
    return "".join(msgspec.json.encode(line).decode() + "\n" for line in lines)


def read_recording(file: str | Path) -> list[Recorded]:
    """The deliveries in a file of `claude-comm record`. Raises UnreadableRecording."""
    return [line for line in _lines(file) if isinstance(line, Recorded)]


def read_contracts(file: str | Path) -> dict[str, Contract]:
    """The contracts in a file of `claude-comm record`, by module. Raises UnreadableRecording."""
    return {line.contract.module: line.contract for line in _lines(file) if isinstance(line, RecordedContract)}


def _lines(file: str | Path) -> Iterator[RecordedContract | Recorded]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableRecording(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UnreadableRecording(
            f"{file} is not UTF-8 text (byte {error.start}). `claude-comm record -o FILE` writes such files."
        ) from None
    # Lines end at line feeds alone: JSON may hold U+2028 and its like as they are.
    for number, line in enumerate(text.rstrip("\n").split("\n") if text else (), 1):
        kind: type[RecordedContract | Recorded] = RecordedContract if line.startswith(_CONTRACT_LINE) else Recorded
        try:
            yield msgspec.json.decode(line, type=kind)
        except UNREADABLE as error:
            raise UnreadableRecording(
                f"{file}, line {number}: {error}. `claude-comm record -o FILE` writes such files."
            ) from None

"""Recorded traffic: the deliveries of a module in the past, out of the projection, as lines of JSON.

Law: what is recorded is what the projection knows: the message, how its delivery ended, the reply, and what the module
sent because of it. What is redacted keeps its type and its length, so that a replay still reads it; a pattern or a
format may refuse it then, which the replay says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from claude_comm.delivery.reply import FAILURE_TYPE, REPLY_TYPE
from claude_comm.envelope import UNREADABLE
from claude_comm.errors import ClaudeCommError, ConfigurationError, DecodeError, EncodeError
from claude_comm.impact.sensitive import Marks
from claude_comm.json_form import json_form
from claude_comm.schema.verdict import Json
from claude_comm.store import queries
from claude_comm.store.database import Database
from claude_comm.store.records import DeliveryRow, MessageRow


class RecordedSend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that a handler sent. Of a request, `reply` is what it was answered."""

    target: str
    type: str
    data: Json
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
    time_us: int = 0
    reason: str = ""
    path: str = ""
    attempts: int = 1
    request: bool = False
    reply: Json = None
    sent: list[RecordedSend] = []


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
        target=row.target, type=row.type, data=_payload(row), request=bool(row.reply_to), reply=_payload(reply)
    )


def _payload(row: MessageRow | None) -> Json:
    form = _form(row) if row is not None else None
    return form[0] if form is not None else None


def _form(row: MessageRow) -> tuple[Json] | None:
    try:
        return (json_form(row.payload()),)
    except (DecodeError, EncodeError):
        return None


def write(recording: Sequence[Recorded]) -> str:
    """One line of JSON for each delivery."""
    return "".join(msgspec.json.encode(delivery).decode() + "\n" for delivery in recording)


def read_recording(file: str | Path) -> list[Recorded]:
    """The deliveries in a file of `claude-comm record`. Raises UnreadableRecording."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableRecording(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise UnreadableRecording(
            f"{file} is not UTF-8 text (byte {error.start}). `claude-comm record -o FILE` writes such files."
        ) from None
    deliveries = []
    # Lines end at line feeds alone: JSON may hold U+2028 and its like as they are.
    for number, line in enumerate(text.rstrip("\n").split("\n") if text else (), 1):
        try:
            deliveries.append(msgspec.json.decode(line, type=Recorded))
        except UNREADABLE as error:
            raise UnreadableRecording(
                f"{file}, line {number}: {error}. `claude-comm record -o FILE` writes such files."
            ) from None
    return deliveries


def marks_of_paths(paths: Sequence[str]) -> Marks:
    """What is to be redacted: paths as `$.user.email`, `$.items[].price` and `$.*.token`. Raises ConfigurationError."""
    return Marks(frozenset(_steps(path) for path in paths))


def _steps(path: str) -> tuple[str, ...]:
    if path != "$" and not path.startswith(("$.", "$[]")):
        raise ConfigurationError(f"{path!r} is no path: write it as $.user.email, $.items[].price or $.*.token.")
    return tuple(step for step in path[1:].replace("[]", ".[]").split(".") if step)


def redacted(delivery: Recorded, hidden: Marks) -> Recorded:
    """The same delivery with what is hidden replaced, in its payload, its reply and what was sent."""
    return msgspec.structs.replace(
        delivery,
        data=_hide(delivery.data, hidden, ()),
        reply=_hide(delivery.reply, hidden, ()),
        sent=[
            msgspec.structs.replace(sent, data=_hide(sent.data, hidden, ()), reply=_hide(sent.reply, hidden, ()))
            for sent in delivery.sent
        ],
    )


def _hide(value: Json, hidden: Marks, at: tuple[str, ...]) -> Json:
    if hidden.hides(at):
        return _blank(value)
    if isinstance(value, dict):
        return {name: _hide(item, hidden, (*at, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_hide(item, hidden, (*at, "[]")) for item in value]
    return value


def _blank(value: Any) -> Json:
    """A value of the same type and length that says nothing."""
    match value:
        case bool():
            return False
        case int() | float():
            return type(value)(0)
        case str():
            return "x" * len(value)
        case list():
            return [_blank(item) for item in value]
        case dict():
            return {name: _blank(item) for name, item in value.items()}
    return value

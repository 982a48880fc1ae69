"""The commands `list`, `show` and `progress`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import cloudevent, shown
from claude_comm.envelope import Envelope
from claude_comm.store import queries
from claude_comm.store.records import DeliveryRow, MessageRow, ProgressRow
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_fields, emit_json, emit_table, on_terminal, say, shorten

# What of a payload is shown in a row: with the other columns it fits a wide terminal; in a pipe there is more room.
_PREVIEW_CHARACTERS = 60
_PIPED_PREVIEW_CHARACTERS = 240


def list_(
    target: Annotated[str, typer.Option("--target", "-t", help="Only messages to this module or topic:NAME.")] = "",
    source: Annotated[str, typer.Option("--source", "-s", help="Only messages from this module.")] = "",
    session: Annotated[str, typer.Option("--session", help="Only messages of this session.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List messages, the newest first.

    The number in the first column is what `claude-comm show` takes.
    """
    with reading() as database:
        rows = queries.messages(database, target=target, source=source, session=session, limit=limit)
    if as_json:
        emit_json([_listed(row) for row in rows])
    elif rows:
        emit_table(
            ["number", "sent", "source", "target", "type", "session", "status", "data"],
            [_row(row) for row in rows],
            right=["number"],
        )
    else:
        say("no messages" + (" like that." if target or source or session else " yet."))


def show(
    message: Annotated[str, typer.Argument(metavar="ID", help="A number from `list`, a message id or its start.")],
    as_json: AsJson = False,
) -> None:
    """Show one message whole, and what became of it.

    With --json it is a CloudEvents object. An unknown ID exits with 3.
    """
    with reading() as database:
        row = queries.message(database, message)
        settled = queries.deliveries(database, row)
    if as_json:
        emit_json(cloudevent(_envelope(row), row.timestamp, number=row.number, status=row.status))
        return
    emit_fields(_fields(row))
    if settled:
        emit("")
        emit_table(["consumer", "status", "attempts", "latency", "reason"], [_delivery(one) for one in settled])


def progress(
    module: Annotated[str, typer.Option("--module", "-m", help="Only tasks of this module.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how far the modules' tasks are."""
    with reading() as database:
        rows = queries.progress(database, module=module)
    if as_json:
        emit_json([_progress(row) for row in rows])
    elif rows:
        columns = ["module", "task", "completed", "total", "percent", "session", "updated"]
        emit_table(columns, [_progress_row(row) for row in rows], right=["completed", "total", "percent"])
    else:
        say(f"no progress of {module!r} yet." if module else "no progress yet.")


def _listed(row: MessageRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "id": row.id,
        "source": row.source,
        "target": row.target,
        "type": row.type,
        "session": row.session,
        "timestamp": row.timestamp,
        "status": row.status,
        "size_bytes": row.size_bytes,
        "data": _json(row),
    }


def _row(row: MessageRow) -> list[object]:
    preview = bytes(_json(row)).decode()
    text = shorten(preview, _PREVIEW_CHARACTERS if on_terminal() else _PIPED_PREVIEW_CHARACTERS)
    sent = formats.moment(row.time_us)
    return [row.number, sent, row.source, row.target, row.type, row.session, row.status, text]


def _json(row: MessageRow) -> msgspec.Raw:
    return shown(row.data)


def _envelope(row: MessageRow) -> Envelope:
    return Envelope(
        id=row.id,
        source=row.source,
        target=row.target,
        type=row.type,
        time=row.time_us,
        session=row.session,
        correlation=row.correlation,
        causation=row.causation,
        reply_to=row.reply_to,
        agreement=row.agreement,
        traceparent=row.traceparent,
        content_type=row.content_type,
        headers=row.headers,
        data=msgspec.Raw(row.data),
    )


def _fields(row: MessageRow) -> dict[str, object]:
    given = {
        "number": row.number,
        "id": row.id,
        "source": row.source,
        "target": row.target,
        "type": row.type,
        "sent": formats.moment(row.time_us),
        "status": row.status,
        "session": row.session,
        "agreement": row.agreement,
        "correlation": row.correlation,
        "causation": row.causation,
        "reply to": row.reply_to,
        "trace": row.traceparent,
        "headers": "\n".join(f"{name}: {value}" for name, value in row.headers.items()),
        "stream": f"{row.stream} {row.entry_id}",
        "size": formats.size(row.size_bytes),
        "data": msgspec.json.format(bytes(_json(row)), indent=2).decode(),
    }
    return {name: value for name, value in given.items() if value != ""}


def _delivery(one: DeliveryRow) -> list[object]:
    reason = f"{one.reason} (at {one.path})" if one.path else one.reason
    return [one.consumer, one.status, one.attempts, formats.milliseconds(one.latency_ms), reason]


def _progress(row: ProgressRow) -> dict[str, Any]:
    return {**msgspec.structs.asdict(row), "percentage": row.percentage}


def _progress_row(row: ProgressRow) -> list[object]:
    return [
        row.module,
        row.task,
        f"{row.completed:g}",
        f"{row.total:g}",
        f"{row.percentage:.0f}%",
        row.session,
        formats.moment(row.time_us),
    ]

"""The command `conversation`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from claude_comm.cli import completions
from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import reading
from claude_comm.cloudevents import readable, shown
from claude_comm.escaping import clean
from claude_comm.store.conversations import ConversationTurn, Thread, conversation
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit_json, emit_styled, emit_table, on_terminal, say, shorten, terminal_width
from claude_comm.terminal.styles import style_of
from claude_comm.terminal.tables import numbers

# How much of a payload a line shows.
_PREVIEW_CHARACTERS = 60


def command(
    message: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A number from `list`, a message id or its start.", autocompletion=completions.messages
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show the messages that one message led to, as a thread.

    It shows all messages with the same correlation, each below the one that it replies to or was caused by, with its
    status. An unknown ID exits with 3.
    """
    with reading() as database:
        thread = conversation(database, message)
    if as_json:
        emit_json([_as_json(turn) for turn in thread.turns])
    else:
        _show(thread)
    if thread.left_out:
        say(f"there are more: these are the first {len(thread.turns):,}.")


def _show(thread: Thread) -> None:
    if on_terminal():
        for turn in thread.turns:
            row = turn.message
            title = f"{'  ' * turn.depth}{_title(turn)}  "
            # The payload gets what the title leaves of the line.
            room = min(max(terminal_width() - len(title), 1), _PREVIEW_CHARACTERS)
            emit_styled(clean(title + shorten(readable(row.data), room)), style_of("status", row.status))
            for reason in _reasons(turn):
                emit_styled(clean(f"{'  ' * turn.depth}    {reason}"), "red")
        return
    emit_table([*numbers("number"), "after", "status", "thread"], [_cells(thread, turn) for turn in thread.turns])


def _cells(thread: Thread, turn: ConversationTurn) -> list[object]:
    row = turn.message
    after_ms = (row.time_us - thread.turns[0].message.time_us) / 1000
    way = f"{'  ' * turn.depth}{row.source} -> {row.target} ({row.type})"
    text = f"{way}  {shorten(readable(row.data), _PREVIEW_CHARACTERS)}"
    return [row.number, formats.milliseconds(after_ms), row.status, "; ".join([text, *_reasons(turn)])]


def _title(turn: ConversationTurn) -> str:
    row = turn.message
    return f"{row.number}  {row.source} -> {row.target} ({row.type}) {row.status}"


def _reasons(turn: ConversationTurn) -> list[str]:
    return [
        f"{delivery.consumer}: {delivery.reason}{f' (at {delivery.path})' if delivery.path else ''}"
        for delivery in turn.deliveries
        if delivery.reason
    ]


def _as_json(turn: ConversationTurn) -> dict[str, Any]:
    row = turn.message
    return {
        "number": row.number,
        "depth": turn.depth,
        "id": row.id,
        "source": row.source,
        "target": row.target,
        "type": row.type,
        "session": row.session,
        "correlation": row.correlation,
        "causation": row.causation,
        "timestamp": row.timestamp,
        "status": row.status,
        "data": shown(row.data),
        "deliveries": turn.deliveries,
    }

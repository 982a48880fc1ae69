"""Messages: browsed with filters, and one message with its conversation and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.cloudevents import shown
from claude_comm.errors import ConfigurationError, DecodeError
from claude_comm.gateway.dashboard.fate import Stage, fate
from claude_comm.gateway.dashboard.payload_search import search
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.store import queries
from claude_comm.store.browse import BrowsePage, MessageFilter, browse
from claude_comm.store.conversations import ConversationTurn, conversation
from claude_comm.store.records import DeliveryRow, MessageRow

PAGE = 50
# Of a conversation that is longer, the rest is on the pages of its messages.
TURNS = 200
# Of a payload, in characters: more is read from the command line.
MAX_SHOWN = 40_000
_PREVIEW = 160


class Line(msgspec.Struct, frozen=True):
    """A message in a list: how long it took (None while nobody has settled it), why it failed, and how it begins."""

    message: MessageRow
    took_ms: float | None
    reason: str
    preview: str


class Messages(msgspec.Struct, frozen=True):
    """The filters as they were given, a page, and how much was looked at; `trouble` is why a search cannot be read."""

    chosen: MessageFilter
    range: str
    where: str
    text: str
    lines: list[Line]
    searched: int
    of: int
    after: int
    took_ms: float
    is_search: bool
    trouble: str = ""


class MessagePage(msgspec.Struct, frozen=True):
    """One message: its payload as JSON text, the stages on its way, and the conversation that it is part of."""

    message: MessageRow
    payload: str
    cut: bool
    trouble: str
    stages: list[Stage]
    deliveries: list[DeliveryRow]
    turns: list[ConversationTurn]
    left_out: bool


def listed(system: System, query: PageAddress) -> Messages:
    chosen = _filter(query, system.now_us)
    where, text = query.text("where"), query.text("text")
    is_search = bool(where or text or chosen.type)
    try:
        matches = _matcher(where, text)
    except ConfigurationError as error:
        return _messages(query, chosen, BrowsePage([], 0, 0, 0, 0.0), is_search, str(error))
    page = browse(system.database, chosen, limit=PAGE, after=query.number("after"), matches=matches)
    return _messages(query, chosen, page, is_search)


def _messages(
    query: PageAddress, chosen: MessageFilter, page: BrowsePage, is_search: bool, trouble: str = ""
) -> Messages:
    lines = [line(row.message, row.deliveries) for row in page.rows]
    return Messages(
        chosen,
        query.text("range"),
        query.text("where"),
        query.text("text"),
        lines,
        page.searched,
        page.of,
        page.after,
        page.took_ms,
        is_search,
        trouble,
    )


def one(system: System, query: PageAddress) -> MessagePage:
    """Raises UnknownMessage."""
    row = queries.message(system.database, query.part("reference"))
    thread = conversation(system.database, row.id, limit=TURNS)
    deliveries = queries.deliveries(system.database, row)
    payload, trouble = _payload(row)
    return MessagePage(
        message=row,
        payload=payload[:MAX_SHOWN],
        cut=len(payload) > MAX_SHOWN,
        trouble=trouble,
        stages=fate(system, row, deliveries),
        deliveries=deliveries,
        turns=thread.turns,
        left_out=thread.left_out,
    )


def _filter(query: PageAddress, now_us: int) -> MessageFilter:
    range_s = query.range_s()
    return MessageFilter(
        source=query.text("source"),
        target=query.text("target"),
        session=query.text("session"),
        type=query.text("type"),
        failed=query.flag("failed"),
        since_us=now_us - range_s * 1_000_000 if range_s else query.number("since"),
        until_us=query.number("until"),
    )


def _matcher(where: str, text: str) -> Callable[[MessageRow], bool] | None:
    """What a payload must be like. Raises ConfigurationError."""
    tests: list[Callable[[Any], bool]] = []
    if where:
        tests.append(search(where))
    if text:
        part = text.casefold()
        tests.append(lambda payload: part in _written(payload).casefold())
    if not tests:
        return None
    return lambda row: all(test(row.payload_or_bytes()) for test in tests)


def _written(payload: Any) -> str:
    return msgspec.json.encode(payload, enc_hook=str).decode(errors="replace")


def line(row: MessageRow, deliveries: list[DeliveryRow]) -> Line:
    """A message as a list shows it."""
    took_ms = max((delivery.latency_ms for delivery in deliveries if delivery.status != "retrying"), default=None)
    reason = next((delivery.reason for delivery in deliveries if delivery.status != "handled" and delivery.reason), "")
    return Line(row, took_ms, reason, preview(row))


def preview(row: MessageRow) -> str:
    """How the payload begins, on one line."""
    if row.digest:
        return f"{row.size_bytes:,} bytes, not stored"
    return bytes(shown(row.data[: 8 * _PREVIEW] if _is_text(row) else row.data)).decode(errors="replace")[:_PREVIEW]


def _is_text(row: MessageRow) -> bool:
    return row.content_type.startswith("text/")


def _payload(row: MessageRow) -> tuple[str, str]:
    """The payload as indented JSON, or why there is none."""
    try:
        row.payload()
    except DecodeError as error:
        return "", str(error)
    text = bytes(shown(row.data))
    return msgspec.json.format(text, indent=2).decode(errors="replace"), ""

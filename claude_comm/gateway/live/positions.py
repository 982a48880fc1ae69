"""Positions in streams that a client keeps, and what became of a stream since.

Law: going on from a position loses nothing in silence: where entries were trimmed the answer says how many, and where
the stream is another one than it was (its server was emptied or restored) it says that nobody knows.

A position is the id of an entry, how many entries the stream had been given by then, and its epoch: the end of the id
of the message that lay there, by which one history of the stream is told from another.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from claude_comm.effects import Command, Operation
from claude_comm.errors import ServerRefused
from claude_comm.gateway.core.errors import unusable
from claude_comm.ids import position as ordered

EPOCH_CHARACTERS = 12
_FORM = re.compile(r"(\d{1,20}-\d{1,20})/(\d{1,18})/([\w.-]{0,64})", re.ASCII)


class Position(msgspec.Struct, frozen=True):
    """A place in a stream."""

    entry: str = "0-0"
    added: int = 0
    epoch: str = ""

    def text(self) -> str:
        return f"{self.entry}/{self.added}/{self.epoch}"

    @property
    def order(self) -> tuple[int, int]:
        """By which places of one stream are compared."""
        return ordered(self.entry)


class Resumed(msgspec.Struct, frozen=True):
    """Where to go on. `missing` is how many entries are gone between there and the position that was asked for; None
    where nobody knows."""

    position: Position
    missing: int | None = 0


def parse(text: object) -> Position:
    """Raises GatewayRefusal."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise unusable("a position is what a `deliver` frame said: ENTRY/ADDED/EPOCH.")
    return Position(match[1], int(match[2]), match[3])


def epoch_of(message_id: str) -> str:
    return re.sub(r"[^\w.-]", "", message_id, flags=re.ASCII)[-EPOCH_CHARACTERS:]


def end(stream: str) -> Operation[Position]:
    """Where a stream ends now."""
    facts = yield from _facts(stream)
    if facts is None:
        return Position()
    return Position(_text(facts[b"last-generated-id"]), _added(facts), "")


def start(stream: str) -> Operation[Position]:
    """Before the first entry that it still has."""
    facts = yield from _facts(stream)
    return Position() if facts is None else Position("0-0", _added(facts) - int(facts[b"length"]), "")


def resume(stream: str, asked: Position, epoch: Any) -> Operation[Resumed]:
    """What is there of a stream after a position; `epoch` reads that of an entry's fields."""
    facts = yield from _facts(stream)
    if facts is None:
        return Resumed(Position(), None if asked.added else 0)
    anew = Resumed(Position("0-0", _added(facts) - int(facts[b"length"]), ""), None)
    if ordered(_text(facts[b"last-generated-id"])) < ordered(asked.entry):
        return anew
    there = yield Command(("XRANGE", stream, asked.entry, asked.entry))
    if there:
        return Resumed(asked) if asked.epoch in ("", epoch(there[0][1])) else anew
    first = facts.get(b"first-entry")
    if first is not None and ordered(_text(first[0])) < ordered(asked.entry):
        return Resumed(asked)  # that one entry was deleted, and those after it are there
    missing = _added(facts) - asked.added - int(facts[b"length"])
    if missing < 0:
        return anew
    return Resumed(Position(asked.entry, asked.added + missing, asked.epoch), missing)


def _facts(stream: str) -> Operation[dict[bytes, Any] | None]:
    try:
        facts: dict[bytes, Any] = yield Command(("XINFO", "STREAM", stream))
    except ServerRefused as refusal:
        if "no such key" in str(refusal):
            return None
        raise
    return facts


def _added(facts: dict[bytes, Any]) -> int:
    return int(facts.get(b"entries-added", facts[b"length"]))


def _text(value: bytes) -> str:
    return value.decode()

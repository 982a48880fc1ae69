"""The message that every way carries: a payload of 200 bytes in MessagePack, or of as many as are asked for, with its
number and when it was sent; and one with the shape that types give: references, an enumeration, a list without doubles.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

# What number, time and the names of the members take of a payload.
FRAME_BYTES = 30
SIZE_BYTES = 200
TEXT = "x" * (SIZE_BYTES - FRAME_BYTES)
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "sent_ns": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["n", "sent_ns", "text"],
}

# As a type's own library exports it: nothing in it recurses.
SHAPE = {
    "$ref": "#/$defs/Order",
    "$defs": {
        "Order": {
            "type": "object",
            "properties": {
                "n": {"type": "integer"},
                "sent_ns": {"type": "integer"},
                "kind": {"enum": ["new", "changed", "cancelled"]},
                "version": {"const": 1},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "uniqueItems": True},
            },
            "required": ["n", "sent_ns", "kind", "version", "lines"],
        },
        "Line": {
            "type": "object",
            "properties": {"article": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
            "required": ["article", "count"],
        },
    },
}
LINES = [{"article": f"article number {number}", "count": number} for number in range(1, 5)]


def payload(number: int, text: str = TEXT) -> dict[str, Any]:
    """200 bytes. The clock counts from the machine's start, alike in every process of it."""
    return {"n": number, "sent_ns": time.monotonic_ns(), "text": text}


def payloads(count: int, size: int = SIZE_BYTES) -> list[dict[str, Any]]:
    text = TEXT if size == SIZE_BYTES else "x" * (size - FRAME_BYTES)
    return [payload(number, text) for number in range(count)]


def shaped(count: int) -> list[dict[str, Any]]:
    """About as many bytes, of SHAPE."""
    now = time.monotonic_ns()
    return [{"n": number, "sent_ns": now, "kind": "new", "version": 1, "lines": LINES} for number in range(count)]


class Handler:
    """The handler that every consumer calls with each payload; it keeps how long the message was on its way."""

    def __init__(self) -> None:
        self.count = 0
        self.latencies_ns: list[int] = []
        self.first_at = 0.0

    def __call__(self, message: dict[str, Any]) -> None:
        if not self.count:
            self.first_at = time.perf_counter()
        self.count += 1
        self.latencies_ns.append(time.monotonic_ns() - message["sent_ns"])

    def seconds(self) -> float:
        """Since the first message."""
        return time.perf_counter() - self.first_at


# Between two messages when latency is measured: far below what any way can carry.
PAUSE_S = 0.002


def paced(count: int, send: Any) -> None:
    """Sends messages one at a time with a pause after each."""
    for number in range(count):
        send(payload(number))
        time.sleep(PAUSE_S)

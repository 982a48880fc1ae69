"""The message that every way carries: a payload of 200 bytes in MessagePack, with its number and when it was sent."""

from __future__ import annotations

import time
from typing import Any

import msgspec

TEXT = "x" * 170
encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "sent_ns": {"type": "integer"}, "text": {"type": "string"}},
    "required": ["n", "sent_ns", "text"],
}


def payload(number: int) -> dict[str, Any]:
    """200 bytes. The clock counts from the machine's start, alike in every process of it."""
    return {"n": number, "sent_ns": time.monotonic_ns(), "text": TEXT}


def payloads(count: int) -> list[dict[str, Any]]:
    return [payload(number) for number in range(count)]


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

"""Telling of operations that settle deliveries: acks, retries and burials.

Law: the operation's own replies and errors, unchanged. Nothing of tracing is imported before one is told of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from claude_comm.effects import Operation
from claude_comm.envelope import Envelope

if TYPE_CHECKING:
    from claude_comm.telemetry.tracing import Telemetry

R = TypeVar("R")


def settling(
    telemetry: Telemetry, operation: str, envelopes: Sequence[Envelope], sending: Operation[R]
) -> Operation[R]:
    """The operation `sending`, within a span that links to each message, and measured."""
    from claude_comm.telemetry.tracing import Settling

    with Settling(telemetry, operation, envelopes):
        return (yield from sending)

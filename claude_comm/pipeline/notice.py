"""The notice of a failure, as it goes to the collector of a session.

Law: pure. Anybody may have written one: what cannot be read is a notice that says so.
"""

from __future__ import annotations

import msgspec

from claude_comm.envelope import Envelope
from claude_comm.errors import DecodeError


class FailureNotice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which step gave up on which message, and why; `path` is where in its payload, `error` the exception."""

    step: str
    module: str
    message: str
    reason: str
    path: str = ""
    error: str = ""


def read(envelope: Envelope) -> FailureNotice:
    try:
        return envelope.payload(FailureNotice)
    except DecodeError as error:
        return FailureNotice(
            step=envelope.source, module=envelope.source, message=envelope.causation, reason=str(error)
        )

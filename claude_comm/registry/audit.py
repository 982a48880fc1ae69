"""Administrative acts, as the audit keeps them: who did what to which module or message, when, and what came of it.

Law: pure. An act is written down whether it succeeded or not; `by` is the name that the door knows its caller by.
"""

from __future__ import annotations

import msgspec

from claude_comm.envelope import Micros

VERSION = 1
MAX_TEXT = 1_000


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One act: a verb (`redrive`, `purge`, `send`, `approve`), what it was done to, and `detail` in words. `outcome`
    says what came of it; `failed` is whether it did not happen."""

    act: str
    target: str
    by: str
    at_us: Micros
    detail: str = ""
    outcome: str = ""
    failed: bool = False
    v: int = VERSION


def encode(act: Act) -> bytes:
    """Texts of others are cut: an audit holds many acts."""
    cut = {name: getattr(act, name)[:MAX_TEXT] for name in ("act", "target", "by", "detail", "outcome")}
    return msgspec.json.encode(msgspec.structs.replace(act, **cut))


def decode(text: bytes | None) -> Act | None:
    """None for what is no act, or one that a newer release wrote with another meaning."""
    try:
        act = msgspec.json.decode(text or b"", type=Act)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return act if act.v <= VERSION else None

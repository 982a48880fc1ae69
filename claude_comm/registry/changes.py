"""Changes of the registry, as they are announced to those who follow it and kept in a module's history.

Law: pure. A change says what happened, to which module and release, and who did it; whoever needs more reads it in the
registry. The stream of changes is short, so a follower that was away takes everything for changed.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from claude_comm.envelope import Micros

VERSION = 1

# `registered`: a new release is live; `returned`: a known one was registered again and is the current one now;
# `joined`, `left`: the first instance of a release began, the last one ended; `agreed`, `refused`: of a negotiation.
Kind: TypeAlias = Literal[
    "registered", "returned", "pending", "approved", "retired", "forgotten", "joined", "left", "agreed", "refused"
]
# After these, a partner of the module may fit that did not, or the other way round.
RENEGOTIATED: frozenset[str] = frozenset(
    ("registered", "returned", "approved", "retired", "forgotten", "joined", "left")
)


class RegistryChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change. `by` is the instance or the person, `partner` the other module and `type` the type of message where
    there is one; `topics` are those that the release reads; `note` is a sentence for a person."""

    kind: Kind
    module: str
    version: str = ""
    digest: str = ""
    at_us: Micros = 0
    by: str = ""
    partner: str = ""
    type: str = ""
    agreement: str = ""
    topics: list[str] = []
    note: str = ""
    v: int = VERSION


def encode(change: RegistryChange) -> bytes:
    return msgspec.json.encode(change)


def decode(text: bytes | None) -> RegistryChange | None:
    """None for what is no change, or one that a newer release wrote with another meaning."""
    try:
        change = msgspec.json.decode(text or b"", type=RegistryChange)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return change if change.v <= VERSION else None

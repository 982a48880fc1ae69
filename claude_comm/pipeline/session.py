"""The record of a run: which pipeline a session runs, on which route, and how far its inputs were sent.

Law: pure. The record says what a run has to know to go on after it was cut off, and nothing that the streams say: which
inputs have ended is what their results and failures say. Its agreements and adapters are pinned: they stand in the
route.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from claude_comm.envelope import UNREADABLE, Micros
from claude_comm.errors import ClaudeCommError
from claude_comm.pipeline import ids, route
from claude_comm.pipeline.route import Route
from claude_comm.registry.contracts import NEWER, Schema, Versioned

VERSION = 1
# After so long without a sign of life a run is over, whatever it says.
FORGOTTEN_US = 7 * 86_400_000_000
# For so long the results of one that has ended are kept.
KEPT_US = 86_400_000_000


class UnreadableSession(ClaudeCommError):
    """What stands in the registry is not the record of a session."""


class RunSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run. `pipeline` is the name, `digest` that of the document; `door` are the schemas of the first steps, to
    which inputs are held before they are sent; `sent` is how many were sent, `total` how many there are, -1 while that
    is not known; `inputs` is the digest of the file that they are in, if they are in one."""

    session: str
    pipeline: str
    digest: str
    route: tuple[str, ...]
    door: dict[str, Schema] = {}
    started_ms: Micros
    touched_us: Micros
    sent: int = 0
    total: int = -1
    inputs: str = ""
    state: Literal["running", "complete"] = "running"
    v: int = VERSION

    @property
    def tag(self) -> int:
        return ids.tag(self.session)

    @property
    def whole(self) -> Route:
        return route.read(self.route)

    def owns(self, place: ids.MessagePlace) -> bool:
        """Whether a message is of this session, by its id."""
        return 0 <= place.started_ms - self.started_ms < ids.MAX_ITEMS and place.tag == self.tag

    def is_over(self, now_us: int) -> bool:
        """Whether nothing of it is needed any more."""
        return now_us - self.touched_us > (KEPT_US if self.state == "complete" else FORGOTTEN_US)


def digest(document: Any) -> str:
    """What tells one pipeline document from another."""
    return hashlib.sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def encode(session: RunSession) -> bytes:
    return msgspec.json.encode(session)


def decode(text: bytes) -> RunSession:
    """Raises UnreadableSession: another program may have written there."""
    try:
        if msgspec.json.decode(text, type=Versioned).v <= VERSION:
            session = msgspec.json.decode(text, type=RunSession)
            route.read(session.route)
            return session
    except (*UNREADABLE, ClaudeCommError) as error:
        raise UnreadableSession(f"the record of a session cannot be read ({error}).") from None
    raise UnreadableSession(f"the record of a session cannot be read ({NEWER}).")

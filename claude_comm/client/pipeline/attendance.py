"""What a run tells of itself: that its session is open and how it ended, and which results it has gathered.

Law: told in the name of the session's collector, on its own events stream, which goes when the run is forgotten. A run
whose process dies tells nothing more: the projection misses its heartbeats and says that it died. A result that is
gathered twice, because a run was resumed, is told twice and counted once.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.client.identity import Identity, identify, micros, millis
from claude_comm.effects import Operation
from claude_comm.envelope import Envelope
from claude_comm.ops import consume, heartbeats
from claude_comm.progress.events import Handled, SessionEvent, SessionOutcome, Settled
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings

# Of one event: what it names may not be more than an envelope holds.
_BYTES_EACH = 150


class Attendance:
    """One run of a session, as its collector, for whom a service signs: nobody runs as it."""

    def __init__(self, collector: str, session: str, settings: Settings, signer: Signer | None) -> None:
        self._identity: Identity = identify(collector, settings, signer=signer)
        self._session = session
        self._opened_us = 0
        self._most = max(settings.max_envelope_bytes // _BYTES_EACH, 1)

    def open(self) -> Operation[None]:
        self._opened_us = micros()
        yield from self._tell(SessionEvent("started", self._identity.instance, self._opened_us))
        yield from self.beat()

    def beat(self) -> Operation[None]:
        yield from heartbeats.beat(self._identity.keys.session_members, self._member, now_ms=millis())

    def gathered(self, results: Sequence[Envelope]) -> Operation[None]:
        """That these came to the collector: nothing is to become of them any more."""
        now_us = micros()
        for start in range(0, len(results), self._most):
            settled = [Settled(it.source, it.id, it.time, now_us) for it in results[start : start + self._most]]
            yield from consume.tell(self._events, self._identity.event(Handled(settled)))

    def end(self, outcome: SessionOutcome, reason: str = "") -> Operation[None]:
        yield from self._tell(SessionEvent("ended", self._identity.instance, self._opened_us, outcome, reason))
        yield from heartbeats.stop_beating(self._identity.keys.session_members, self._member)

    @property
    def _events(self) -> str:
        return self._identity.keys.events(self._identity.module)

    @property
    def _member(self) -> str:
        return f"{self._identity.module}/{self._identity.instance}"

    def _tell(self, event: SessionEvent) -> Operation[None]:
        identity = self._identity
        yield from consume.record(identity.keys, identity.module, identity.event(event, self._session))

"""A run: inputs sent along a route, results and failures gathered from its end.

Law: the run holds nothing up and drives nothing: killed at any moment, what is on its way goes on, and the next run of
the session reads what has ended from the collector and sends the others again, under their first ids. No more inputs
are on their way than the window has room for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from claude_comm import envelope as envelopes
from claude_comm.addresses import on_cluster
from claude_comm.client.identity import micros
from claude_comm.client.pipeline.attendance import Attendance
from claude_comm.client.publisher.attempts import Attempts, raise_first
from claude_comm.effects import Post
from claude_comm.envelope import Envelope
from claude_comm.errors import EnvelopeError, ServerUnreachable, TransportError
from claude_comm.json_form import json_form, written
from claude_comm.names import Keys
from claude_comm.ops import follow, registry, sessions
from claude_comm.ops.follow import Entries
from claude_comm.pipeline import ids
from claude_comm.pipeline.ids import Carries, MessagePlace
from claude_comm.pipeline.onward import Onward, what_follows
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.route import Leg
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.tally import Progress, RunTally
from claude_comm.progress.events import decode_event
from claude_comm.runtime.outage import Outage
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.settings import Settings
from claude_comm.telemetry.logs import get_logger
from claude_comm.telemetry.switch import telemetry_of_process
from claude_comm.transport.driver import Client

if TYPE_CHECKING:
    from claude_comm.client.pipeline.signatures import Signatures
    from claude_comm.telemetry.tracing import Sending

# How many inputs are on their way at most, unless it is said otherwise: enough to keep every step busy.
WINDOW = 1_000
# How many messages are sent, and entries read, in one exchange.
_BATCH, _PAGE = 500, 1_000
# How long one read waits for the next result, and how long a cluster, which cannot wait, is left alone.
_WAIT_MS, _POLL_S = 200, 0.05
# How often the record says that the run lives, and how often is looked who runs.
_TOUCH_S, _LOOK_S = 5.0, 5.0
# By how much the clock of a server may be behind.
_SKEW_MS = 60_000


class Run:
    """One run of a session, on this thread."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        session: RunSession,
        inputs: Iterator[Any],
        *,
        total: int | None = None,
        window: int = WINDOW,
        ttl_s: float | None = None,
    ) -> None:
        self._client, self._settings, self.session = client, settings, session
        self._keys = Keys(settings.namespace)
        self._signatures = _signatures(settings)
        self._inputs, self._window, self._ttl_s = enumerate(inputs), window, ttl_s
        self.total = total
        self.tally = RunTally(session)
        self._whole = session.whole
        self.collector = collector(session.session)
        self._attendance = Attendance(
            self.collector, session.session, settings, self._signatures.signer if self._signatures else None
        )
        # Results of which the projection has not been told.
        self._untold: list[Envelope] = []
        self._telemetry = telemetry_of_process(settings, self.collector, session.session)
        # The sends of the next batch.
        self._sendings: list[Sending] = []
        self._attempts = Attempts(self._keys, lambda _limits: None, on_cluster=on_cluster(settings.url))
        self._outage = Outage(get_logger(settings.log_level, session=session.session))
        self._doors: dict[str, Validator] = {name: compile_validator(door) for name, door in session.door.items()}
        self.sent = 0
        self._read_all = False
        self._touch_at = self._look_at = 0.0
        self.nobody_runs: list[str] = []
        self._positions = self._start()

    def go(self, show: Callable[[Run], object], show_every_s: float) -> None:
        """Until every input has ended."""
        self._client.run(sessions.store(self._keys, self.session))
        self._client.run(self._attendance.open())
        try:
            self._go(show, show_every_s)
        except BaseException as error:
            with suppress(TransportError):
                self._client.run(self._attendance.end("failed", f"cut off by {type(error).__name__}"))
            raise
        failed = f"{self.tally.failed:,} of {self.total or 0:,} inputs failed" if self.tally.failed else ""
        self._client.run(self._attendance.end("failed" if failed else "completed", failed))
        show(self)

    def _go(self, show: Callable[[Run], object], show_every_s: float) -> None:
        show_at = time.monotonic()
        # What has ended before comes first: it is not sent again.
        while self._gather(0):
            pass
        while not self.over:
            try:
                progress = self._send_some() | self._gather(0 if self._has_room() else _WAIT_MS)
                self._keep_up()
                self._outage.over()
            except ServerUnreachable as error:
                progress = True
                time.sleep(self._outage.met(error))
            now = time.monotonic()
            if now >= show_at:
                show(self)
                show_at = now + show_every_s
            if not progress and self._client.data.reach == "cluster":
                time.sleep(_POLL_S)
        self._complete()

    @property
    def over(self) -> bool:
        return self._read_all and self.tally.terminal >= (self.total or 0)

    def progress(self) -> Progress:
        return self.tally.progress(time.monotonic(), sent=self.sent, total=self.total)

    def _has_room(self) -> bool:
        return not self._read_all and self.sent - self.tally.terminal < self._window

    def _send_some(self) -> bool:
        """Sends the next inputs, as many as there is room for; whether there were any."""
        posts: list[Post] = []
        begun = self.sent
        while self._has_room() and len(posts) < _BATCH:
            try:
                number, value = next(self._inputs)
            except StopIteration:
                self._read_all, self.total = True, self.sent
                break
            self.sent = number + 1
            if not self.tally.has_ended(number):
                posts += self._posts(number, value)
        self._deliver(posts)
        return self.sent > begun

    def _deliver(self, posts: list[Post]) -> None:
        if self._signatures is not None:
            posts = self._signatures.sealed(posts)
        try:
            while posts:
                try:
                    raise_first(self._client.run(self._attempts.sending(posts)))
                    return
                except ServerUnreachable as error:
                    time.sleep(self._outage.met(error))
        finally:
            for sending in self._sendings:
                sending.finish(sys.exception())
            self._sendings.clear()

    def _posts(self, number: int, value: Any) -> list[Post]:
        """The first messages of an input; none for one that its first steps do not accept."""
        if isinstance(value, UnreadableInput):
            self.tally.refused(number, "", value.reason, "")
            return []
        try:
            form = json_form(value)
            first = what_follows(self._whole, form)
            for leg in first:
                if not self._admits(number, leg, form):
                    return []
            return [self._post(number, leg, form) for leg in first]
        except EnvelopeError as error:
            self.tally.refused(number, "", str(error), "")
            return []

    def _admits(self, number: int, first: Onward, form: Any) -> bool:
        door = self._doors.get(first.leg.step)
        if door is None or first.carries is not Carries.VALUE or first.leg.after:
            return True
        for breach in door.validate(apply(Adapter(first.leg.adapter), form))[:1]:
            self.tally.refused(number, first.leg.step, f"not sent: {breach.sentence}", breach.path)
            return False
        return True

    def _post(self, number: int, first: Onward, form: Any) -> Post:
        session = self.session
        place = MessagePlace(session.started_ms, session.tag, first.edge, number, carries=first.carries)
        envelope = Envelope(
            id=ids.write(place),
            source=self.collector,
            target=first.leg.target,
            type=first.type,
            time=micros(),
            session=session.session,
            correlation=ids.write(msgspec.structs.replace(place, edge=0, carries=Carries.VALUE)),
            agreement=first.leg.agreement,
            route=first.route,
            expires=micros() + int(self._ttl_s * 1e6) if self._ttl_s else 0,
            data=written(form) if first.carries is Carries.VALUE else envelopes.pack(None),
        )
        if self._telemetry is not None:
            from claude_comm.telemetry import onward as sends

            self._sendings.append(sends.begun(self._telemetry, envelope))
            envelope = sends.carrying(envelope, self._sendings[-1])
        body = envelopes.encode(envelope, max_bytes=self._settings.max_envelope_bytes)
        return Post(self._keys.inbox(first.leg.target), body)

    def _start(self) -> dict[str, str]:
        """Where to read from: all that came to the collector, and what the modules did since the session began."""
        since = f"{max(self.session.started_ms - _SKEW_MS, 0)}-0"
        modules = {leg.target for leg in self._steps()}
        return {
            self._keys.inbox(self.collector): "0-0",
            **{self._keys.events(module): since for module in sorted(modules)},
        }

    def _steps(self) -> list[Leg]:
        return list(self._whole.legs.values())[1:-1]

    def _gather(self, wait_ms: int) -> bool:
        """Reads what has come; whether anything had."""
        reach = self._client.data.reach
        block_ms = wait_ms if reach == "server" else 0
        pages = self._client.run(follow.read(self._positions, count=_PAGE, block_ms=block_ms, reach=reach))
        for key, entries in pages.items():
            for _, fields in self._believed(key, entries):
                body = dict(zip(fields[::2], fields[1::2], strict=True)).get(b"e", b"")
                with suppress(EnvelopeError):  # bytes that somebody else wrote, or an event of a newer release
                    envelope = envelopes.decode(body, max_bytes=self._settings.max_envelope_bytes)
                    if key == self._keys.inbox(self.collector):
                        self.tally.collected(envelope)
                        self._untold.append(envelope)
                    else:
                        self.tally.happened(decode_event(envelope.data))
            self._positions[key] = entries[-1][0].decode()
        if self._untold:
            self._client.run(self._attendance.gathered(self._untold))
            self._untold.clear()
        return bool(pages)

    def _believed(self, stream: str, entries: Entries) -> Entries:
        if self._signatures is None:
            return entries
        return self._client.run(self._signatures.trusted(stream, entries, self._settings.max_envelope_bytes))

    def _keep_up(self) -> None:
        now = time.monotonic()
        if now >= self._touch_at:
            self._touch()
            self._touch_at = now + _TOUCH_S
        if now >= self._look_at:
            everyone = self._client.run(registry.everyone(self._keys, now_ms=micros() // 1000))
            alive = {
                module.module
                for module in everyone.modules
                if any(instance.state == "up" for instance in module.instances)
            }
            self.nobody_runs = sorted({leg.target for leg in self._steps()} - alive)
            self._look_at = now + _LOOK_S

    def _touch(self, **changes: Any) -> None:
        total = self.total if self._read_all and self.total is not None else -1
        self.session = msgspec.structs.replace(
            self.session, touched_us=micros(), sent=self.sent, total=total, **changes
        )
        self._client.run(sessions.store(self._keys, self.session))
        self._client.run(self._attendance.beat())

    def _complete(self) -> None:
        self._touch(state="complete")
        self._client.run(sessions.complete(self._keys, self.session))


def _signatures(settings: Settings) -> Signatures | None:
    """None where nothing is signed. Raises ConfigurationError."""
    if settings.signing == "off":
        return None
    from claude_comm.client.pipeline.signatures import Signatures  # PyNaCl is an extra

    return Signatures(settings)


class UnreadableInput(msgspec.Struct, frozen=True):
    """An input that cannot be read, and why: it fails alone."""

    reason: str

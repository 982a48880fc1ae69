"""A server for a test, in a namespace of the test's own: what its modules send, handle and bury.

Law: what is read here leaves no trace: streams are read from outside, so that nobody's delivery is taken. Waiting is
for a condition and never for a time; a wait that ends without it says what it saw instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from claude_comm.client.communicator.communicator import ModuleCommunicator
from claude_comm.client.consumer.consumer import Consumer
from claude_comm.client.identity import micros
from claude_comm.client.module.module import Module
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.burial import Burial
from claude_comm.effects import Command
from claude_comm.envelope import DEFAULT_TYPE, Envelope, decode
from claude_comm.errors import EnvelopeError, ServerRefused
from claude_comm.names import Keys
from claude_comm.ops import dead, follow, heartbeats, lag, registration, registry
from claude_comm.progress.events import EVENT_TYPE, Buried, Handled, Retried, Settled, decode_event
from claude_comm.registry.contracts import Contract
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

T = TypeVar("T")

# What hangs is told after so long (seconds); what comes true ends a wait at once.
PATIENCE_S = 30.0
_LOOK_S = 0.004
_NOBODY = "test"


class NotSeen(AssertionError):
    """A test waited for something that did not happen."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one delivery of a module went: `handled`, `retried` or `buried`; `path` is where in the payload."""

    id: str
    source: str
    result: str
    reason: str = ""
    path: str = ""
    took_ms: float = 0.0


class Bus:
    """The server of one test. `settings` and `environ` lead to it, from this process and from a child process.

    `fake` says that there is no server: see docs/testing.md for what that does not show.
    """

    def __init__(self, settings: Settings, *, fake: bool = False) -> None:
        self.settings, self.fake = settings, fake
        self.keys = Keys(settings.namespace)
        self._closing = ExitStack()
        self._client: Client | None = None
        self._publishers: dict[str, Publisher] = {}

    @property
    def client(self) -> Client:
        """A connection for looking at the server with operations of `claude_comm.ops`."""
        if self._client is None:
            self._client = self._closing.enter_context(connect(self.settings))
        return self._client

    @property
    def environ(self) -> dict[str, str]:
        """The settings as variables of an environment."""
        return environment(self.settings)

    def publisher(self, source: str = _NOBODY) -> Publisher:
        """A publisher, closed at the end of the test; the same one for the same name."""
        if source not in self._publishers:
            made = Publisher(source, settings=self.settings)
            self._publishers[source] = self._closing.enter_context(made)
        return self._publishers[source]

    def consumer(self, module: str, **options: Any) -> Consumer:
        """A consumer with the options of `Consumer`, closed at the end of the test."""
        return self._closing.enter_context(Consumer(module, settings=self.settings, **options))

    def communicator(self, name: str, **options: Any) -> ModuleCommunicator:
        """A `ModuleCommunicator` with its options, closed at the end of the test."""
        return self._closing.enter_context(ModuleCommunicator(name, settings=self.settings, **options))

    def send(
        self, target: str, data: object, *, type: str = DEFAULT_TYPE, source: str = _NOBODY, **options: Any
    ) -> str:
        """Sends one message, with the options of `Publisher.publish`; returns its id."""
        return self.publisher(source).publish(target, data, type=type, **options)

    def request(
        self, target: str, data: object, *, type: str = DEFAULT_TYPE, source: str = _NOBODY, **options: Any
    ) -> Any:
        """Sends one message and waits for the reply, with the options of `Publisher.request`."""
        return self.publisher(source).request(target, data, type=type, **options)

    def register(self, contract: Contract) -> None:
        """Registers a contract as a running module does: partners find it, but nobody reads its inbox."""
        self.client.run(registration.register(self.keys, msgspec.structs.replace(contract, registered_us=micros())))

    def registered(self) -> list[str]:
        """The names of the modules that have registered."""
        directory = self.client.run(registry.everyone(self.keys, now_ms=micros() // 1000))
        return [standing.module for standing in directory.modules]

    def awaited(self) -> Mapping[str, Sequence[str]]:
        """The modules whose messages wait for the contracts of others, and for which."""
        return self.client.run(heartbeats.waiting(self.keys, now_ms=micros() // 1000))

    def messages(self, *, source: str = "", target: str = "", type: str = "") -> list[Envelope]:
        """The messages that were sent, in the order of their ids; an empty parameter does not filter."""
        streams = [stream.key for stream in self._streams() if stream.kind != "events"]
        if target:
            streams = [self.keys.stream(target)]
        sent = [envelope for key in streams for envelope in self._envelopes(key)]
        chosen = [envelope for envelope in sent if source in ("", envelope.source) and type in ("", envelope.type)]
        return sorted(chosen, key=lambda envelope: envelope.id)

    def outcomes(self, module: str) -> list[Outcome]:
        """The outcomes of a module's deliveries, in order; a retried one is listed more than once."""
        # An end whose reply was lost is told again, by another event and with the time that it had.
        outcomes: dict[object, Outcome] = {}
        for envelope in self._envelopes(self.keys.events(module)):
            if envelope.type == EVENT_TYPE:
                for delivery, outcome in _outcomes(decode_event(envelope.data)):
                    outcomes.setdefault((outcome.result, delivery), outcome)
        return list(outcomes.values())

    def buried(self, module: str) -> list[Burial]:
        """The messages that a module gave up on, with the reasons."""
        burials: list[Burial] = []
        place = self.client.run(dead.begin(self.keys, module))
        while place.after:
            page, place = self.client.run(dead.page(self.keys, place, max_bytes=self.settings.max_envelope_bytes))
            burials += page
        return burials

    def waiting(self, module: str) -> int:
        """The number of unfinished messages in a module's inbox, including those that wait for a retry."""
        stream = self.keys.inbox(module)
        by_stream = self.client.run(lag.groups([stream]))
        group = next((known for known in by_stream[stream] if known.name == module), None)
        behind = self.client.run(lag.of(stream, module, enough=1)).entries
        later = int(self.client.data.one(Command(("ZCARD", self.keys.later(module)))))
        return behind + later + (group.pending if group else 0)

    def wait(
        self,
        look: Callable[[], T],
        enough: Callable[[T], bool],
        *,
        what: str,
        timeout_s: float = PATIENCE_S,
        why: Callable[[], str] = str,
    ) -> T:
        """Looks until it is `enough`; raises NotSeen, with what was seen last and `why`, after `timeout_s` seconds."""
        end = time.monotonic() + timeout_s
        while not enough(seen := look()):
            if time.monotonic() > end:
                raise NotSeen(f"waited {timeout_s:g} s for {what}; there is: {_brief(seen)}{why()}")
            time.sleep(_LOOK_S)
        return seen

    def wait_for_messages(self, count: int = 1, *, timeout_s: float = PATIENCE_S, **of: str) -> list[Envelope]:
        """Returns when there are that many, as `messages` has them. Raises NotSeen."""
        what = f"{count} messages" + "".join(f" of {name} {value!r}" for name, value in of.items())
        return self.wait(
            lambda: self.messages(**of), lambda seen: len(seen) >= count, what=what, timeout_s=timeout_s, why=self._why
        )

    def close(self) -> None:
        """Closes what was opened here."""
        self._publishers.clear()
        self._client = None
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _streams(self) -> Sequence[Any]:
        return self.client.run(follow.announced(self.keys)).streams

    def _envelopes(self, stream: str) -> list[Envelope]:
        try:
            entries = self.client.data.one(Command(("XRANGE", stream, "-", "+")))
        except ServerRefused:
            return []
        envelopes = []
        for _id, pairs in entries:
            fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
            try:
                envelopes.append(decode(fields.get(b"e", b""), max_bytes=self.settings.max_envelope_bytes))
            except EnvelopeError:
                continue
        return envelopes

    def _why(self) -> str:
        """What a person would look for next: modules that wait for others, and what was buried."""
        lines = [
            f"\n  {module!r} waits for the contract of {', '.join(map(repr, names))}: run it, or name it in `partners`."
            for module, names in self.awaited().items()
        ]
        for stream in self._streams():
            if stream.kind == "inbox":
                lines += [
                    f"\n  {stream.name!r} buried {burial.envelope.id if burial.envelope else burial.id}: "
                    f"{burial.reason}{f' (at {burial.path})' if burial.path else ''}"
                    for burial in self.buried(stream.name)[:3]
                ]
        return "".join(lines)


def environment(settings: Settings) -> dict[str, str]:
    """The settings that lead to a server, as variables of an environment."""
    return {
        "CLAUDE_COMM_HOME": str(settings.home),
        "CLAUDE_COMM_URL": settings.url,
        "CLAUDE_COMM_NAMESPACE": settings.namespace,
        "CLAUDE_COMM_LOG_LEVEL": settings.log_level,
    }


def module_name(module: Module | str) -> str:
    return module if isinstance(module, str) else module.name


def _outcomes(event: object) -> list[tuple[Settled, Outcome]]:
    match event:
        case Handled(deliveries=deliveries):
            return [(delivery, _outcome(delivery, "handled")) for delivery in deliveries]
        case Retried(delivery=delivery, reason=reason):
            return [(delivery, _outcome(delivery, "retried", reason))]
        case Buried(delivery=delivery, reason=reason, path=path):
            return [(delivery, _outcome(delivery, "buried", reason, path))]
    return []


def _outcome(delivery: Settled, result: str, reason: str = "", path: str = "") -> Outcome:
    took_ms = (delivery.settled_us - delivery.sent_us) / 1000
    return Outcome(id=delivery.id, source=delivery.source, result=result, reason=reason, path=path, took_ms=took_ms)


def _brief(seen: object) -> str:
    text = f"{len(seen)} ({seen!r})" if isinstance(seen, list) else repr(seen)
    return text if len(text) <= 1_000 else text[:997] + "..."

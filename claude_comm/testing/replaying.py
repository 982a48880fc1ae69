"""Recorded deliveries against another version of a module, on a private server, and what differs.

Law: the module is the real one, on a real server that nobody else uses. Each delivery is compared with its recording:
how it ended, the reply, and what was sent because of it, in order. What differs is said with its path; a message that
an adapter without a guess turns into the recorded one is equal under the adapter. Time is reported, and is no
difference.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.client.module.module import Module
from claude_comm.envelope import Envelope
from claude_comm.errors import RequestFailed
from claude_comm.json_form import json_form
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.evolution.adapt import adapt
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.verdict import Json, passes
from claude_comm.settings import Settings
from claude_comm.testing.bus import Bus, Outcome
from claude_comm.testing.recording import Recorded, RecordedSend
from claude_comm.testing.running import RunningModule
from claude_comm.testing.servers import address_of, private_home

Sameness: TypeAlias = Literal["same", "equal under the adapter", "changed"]
# How long one delivery may take (seconds).
DELIVERY_S = 30.0


class ReplayChange(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: in what (`outcome`, `reply`, or the message sent), at which path, before and after."""

    what: str
    path: str
    before: Json
    after: Json


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery, beside its recording. `took_ms` is from its sending to the end of its handling."""

    id: str
    type: str
    answer: Sameness
    changes: Sequence[ReplayChange]
    before_ms: float
    took_ms: float


def replay(recording: Sequence[Recorded], module: Module, before: Contract | None = None) -> list[Replayed]:
    """Hands the module what was recorded for it, on a private server, one delivery after the other.

    `before` is the contract of the version that was recorded: with it, what is sent otherwise is compared under an
    adapter. A request that the module makes is answered as it was recorded.
    """
    mine = [delivery for delivery in recording if delivery.consumer == module.name and delivery.status != "retrying"]
    with ExitStack() as ending:
        home = ending.enter_context(private_home())
        settings = Settings(home=home, url=address_of(home), namespace="replay", log_level="error")
        bus = ending.enter_context(Bus(settings))
        answered = {sent.target for delivery in mine for sent in delivery.sent if sent.request}
        for name in sorted(answered):
            ending.callback(RunningModule(bus, _answering(name, mine).rehearsed(settings)).stop)
        targets = {sent.target for delivery in mine for sent in delivery.sent}
        running = RunningModule(bus, module.rehearsed(settings), sorted(targets - answered))
        ending.callback(running.stop)
        after = module.contract()
        return [_compared(delivery, _handed(running, delivery), before, after) for delivery in mine]


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a delivery in the replay."""

    outcome: Outcome
    reply: Json
    sent: Sequence[Envelope]


def _handed(running: RunningModule, delivery: Recorded) -> _Seen:
    bus, reply = running.bus, None
    target = delivery.target or running.name
    ended = len(running.ended())
    options: dict[str, Any] = {"type": delivery.type, "session": delivery.session, "source": delivery.source}
    if delivery.request:
        with suppress(RequestFailed):
            reply = json_form(bus.request(target, delivery.data, timeout_s=DELIVERY_S, **options))
    else:
        bus.send(target, delivery.data, **options)
    outcome = running.done(ended + 1, timeout_s=DELIVERY_S)[-1]
    caused = [envelope for envelope in bus.messages(source=running.name) if envelope.causation == outcome.id]
    return _Seen(outcome=outcome, reply=reply, sent=caused)


def _answering(name: str, recording: Sequence[Recorded]) -> Module:
    """A module that answers as it was recorded: the same payload as it was, any other as the first of its type."""
    module = Module(name)
    sends = [sent for delivery in recording for sent in delivery.sent if sent.target == name]
    for type in sorted({sent.type for sent in sends}):
        answers = [(sent.data, sent.reply) for sent in sends if sent.type == type]

        def answer(payload: Any, answers: Sequence[tuple[Json, Json]] = answers) -> Any:
            return next((reply for data, reply in answers if data == payload), answers[0][1])

        module.handles(type)(answer)
    return module


def _compared(delivery: Recorded, seen: _Seen, before: Contract | None, after: Contract) -> Replayed:
    changes = list(_outcome_changes(delivery, seen.outcome))
    if delivery.request:
        changes += _differences("reply", "$", delivery.reply, seen.reply)
    changes += _count_changes(delivery.sent, seen.sent)
    adapted = False
    for old, new in zip(delivery.sent, seen.sent, strict=False):
        if (old.target, old.type) != (new.target, new.type):
            changes.append(_change("sent", "$", f"{old.type} to {old.target}", f"{new.type} to {new.target}"))
            continue
        differs = list(_differences(f"{old.type} to {old.target}", "$", old.data, form := json_form(new.payload())))
        if differs and _fits_adapted(old, form, before, after):
            adapted = True
        else:
            changes += differs
    answer: Sameness = "changed" if changes else "equal under the adapter" if adapted else "same"
    return Replayed(
        id=delivery.id, type=delivery.type, answer=answer, changes=changes,
        before_ms=delivery.took_ms, took_ms=seen.outcome.took_ms,
    )  # fmt: skip


def _outcome_changes(delivery: Recorded, outcome: Outcome) -> Iterator[ReplayChange]:
    if delivery.status != outcome.result:
        yield _change(
            "outcome",
            outcome.path or "$",
            _ending(delivery.status, delivery.reason),
            _ending(outcome.result, outcome.reason),
        )
    elif delivery.status == "buried" and delivery.reason != outcome.reason:
        yield _change("outcome", outcome.path or "$", delivery.reason, outcome.reason)


def _ending(status: str, reason: str) -> str:
    return f"{status}: {reason}" if reason else status


def _count_changes(old: Sequence[RecordedSend], new: Sequence[Envelope]) -> Iterator[ReplayChange]:
    for sent in old[len(new) :]:
        yield _change(f"{sent.type} to {sent.target}", "$", sent.data, None)
    for envelope in new[len(old) :]:
        yield _change(f"{envelope.type} to {envelope.target}", "$", None, json_form(envelope.payload()))


def _fits_adapted(old: RecordedSend, form: Json, before: Contract | None, after: Contract) -> bool:
    """Whether an adapter that takes no guess makes one of the two messages the other."""
    was = before.sends(old.target, old.type) if before is not None else None
    now = after.sends(old.target, old.type)
    if was is None or now is None:
        return False
    return _adapts(was, now, old.data, form) or _adapts(now, was, form, old.data)


def _adapts(of: Schema, to: Schema, message: Json, wanted: Json) -> bool:
    adapters = _adapters(msgspec.json.encode(of), msgspec.json.encode(to))
    return any(apply(adapter, message) == wanted for adapter in adapters)


@functools.lru_cache(maxsize=256)
def _adapters(of: bytes, to: bytes) -> list[Adapter]:
    """The proved adapters without a guess. The proofs count steps: how busy the machine is changes no answer."""
    proposals = adapt(msgspec.json.decode(of), msgspec.json.decode(to))
    return [proposal.adapter for proposal in proposals if proposal.applicable and passes(proposal.verdict)]


def _differences(what: str, path: str, before: Json, after: Json) -> Iterator[ReplayChange]:
    """Each place where two values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _differences(what, f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(what, f"{path}[{place}]", old, new)
    elif before != after:
        yield _change(what, path, before, after)


def _change(what: str, path: str, before: Json, after: Json) -> ReplayChange:
    return ReplayChange(what=what, path=path, before=before, after=after)

"""Replaying messages that are there against a new contract, with the validator that reads messages at run time.

Law: pure. A message is adapted as it would be where it is read, and then held to the new schema. One that is refused
today as well is counted by itself: the new contract does not break it. What cannot be told (a payload that is not kept)
is unknown, and never fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from claude_comm.envelope import UNREADABLE, Envelope
from claude_comm.errors import DecodeError, EncodeError
from claude_comm.impact import history
from claude_comm.impact.effects import FailingMessage
from claude_comm.impact.observed import PathFacts
from claude_comm.impact.shapes import Shape
from claude_comm.json_form import json_form
from claude_comm.registry.contracts import Contract
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Json

# Of messages that say nothing to a handler: parts of joins, failures of pipelines.
OWN_TYPES = "comm."
# Of so many failing messages of one sender and type it is said where and why, and of more only which: the words for a
# person take four fifths of a refusal's time, and nobody reads as many.
MAX_REASONS = 1_000
_NONE: tuple[None, None] = (None, None)
_decode = msgspec.msgpack.Decoder().decode


class Evidence(msgspec.Struct):
    """What became of the messages of one sender and type. `in_flight` of those that fit or fail are not settled yet;
    `unnamed` are proved to fail, by what is known of all of their shape, beside those in `failing`."""

    fitting: int = 0
    in_flight: int = 0
    refused_before: int = 0
    unknown: int = 0
    unnamed: int = 0
    failing: dict[str, FailingMessage] = {}

    @property
    def refused(self) -> int:
        """How many fail, named or not."""
        return len(self.failing) + self.unnamed

    @property
    def messages(self) -> int:
        return self.fitting + self.refused

    def __add__(self, other: Evidence) -> Evidence:
        """Of other messages, together."""
        return Evidence(
            self.fitting + other.fitting,
            self.in_flight + other.in_flight,
            self.refused_before + other.refused_before,
            self.unknown + other.unknown,
            self.unnamed + other.unnamed,
            {**other.failing, **self.failing},
        )

    def overlap(self, other: Evidence) -> Evidence:
        """What two sources have met that may be the same messages: at least so many."""
        failing = {**other.failing, **self.failing}
        return Evidence(
            max(self.fitting, other.fitting),
            max(self.in_flight, other.in_flight),
            max(self.refused_before, other.refused_before),
            max(self.unknown, other.unknown),
            max(self.refused, other.refused, len(failing)) - len(failing),
            failing,
        )


class KeptMessage(Protocol):
    """A message as a store has it; `value` is UNSET where the payload is not kept."""

    @property
    def id(self) -> str: ...
    @property
    def value(self) -> Any: ...


class Judgement(msgspec.Struct, frozen=True):
    """How the messages of one type are held to the contracts: None for a type that one of them does not accept."""

    new: Validator | None
    old: Validator | None


class Replay:
    """Holds messages to the new contract, type by type and agreement by agreement."""

    def __init__(self, new: Contract, old: Contract | None) -> None:
        self._new, self._old = new, old
        self._judgements: dict[str, Judgement] = {}
        # By agreement: what it takes to make its messages fit the new contract, and what it takes today.
        self._adapters: dict[str, tuple[Adapter | None, Adapter | None]] = {}
        self.evidence: dict[tuple[str, str], Evidence] = {}

    def adapt(self, agreement: str, new: Adapter | None, old: Adapter | None) -> None:
        """What is done to the messages of an agreement where they are read."""
        self._adapters[agreement] = (new, old)

    def adapter(self, agreement: str) -> Adapter | None:
        """What is done under the new contract."""
        return self._adapters.get(agreement, _NONE)[0]

    @classmethod
    def like(cls, other: Replay) -> Replay:
        """One with the same adapters and no evidence."""
        fresh = cls(other._new, other._old)
        fresh._judgements, fresh._adapters = other._judgements, other._adapters
        return fresh

    def examples(self, source: str, type: str, agreement: str, shapes: Iterable[Shape]) -> None:
        """Judges the examples of shapes of which the messages are not there any more: one that fails did so."""
        evidence = self.of(source, type)
        for shape in shapes:
            if shape.is_whole and shape.example_id not in evidence.failing:
                fitting = evidence.fitting
                self._judge(shape.example_id, source, type, agreement, shape.example, "stored", evidence)
                # It is one of those of which nothing is known, and is not counted twice.
                evidence.fitting = fitting

    def refuses_all(self, type: str, agreement: str, facts: PathFacts) -> bool:
        """Whether it is proved that all that these facts describe fit today, and none of it fits the new contract."""
        new, old = self._adapters.get(agreement, _NONE)
        if self._old is not None and not history.all_fit(facts, self._old.accepts.get(type), old):
            return False
        return history.none_fits(facts, self._new.accepts.get(type), new)

    def name(self, source: str, type: str, ids: Iterable[str]) -> int:
        """Takes note of stored messages of which it is proved that they fail; how many."""
        evidence, count = self.of(source, type), 0
        for id_ in ids:
            count += 1
            if id_ not in evidence.failing:
                evidence.failing[id_] = FailingMessage(id=id_, source=source, type=type, where="stored")
        return count

    def knows(self, agreement: str) -> bool:
        return not agreement or agreement in self._adapters

    def of(self, source: str, type: str) -> Evidence:
        key = (source, type)
        if key not in self.evidence:
            self.evidence[key] = Evidence()
        return self.evidence[key]

    def envelopes(self, envelopes: Iterable[Envelope], where: str) -> int:
        """Replays these messages, all of which are `where`; how many."""
        count = 0
        settled = where in ("settled", "stored")
        slots: dict[tuple[str, str, str], tuple[Evidence, Any, bool]] = {}
        for envelope in envelopes:
            count += 1
            heading = (envelope.source, envelope.type, envelope.agreement)
            slot = slots.get(heading)
            if slot is None:
                slot = slots[heading] = self._slot(*heading)
            evidence, accepts, plain = slot
            try:
                # Most fit as they are: what does not is looked at again, whole.
                if plain and not envelope.route and accepts(_decode(envelope.data)):
                    evidence.fitting += 1
                    evidence.in_flight += not settled
                    continue
            except UNREADABLE:
                pass
            if not envelope.type.startswith(OWN_TYPES) and not envelope.route:
                self._one(envelope, where, evidence)
        return count

    def values(self, source: str, type: str, agreement: str, messages: Iterable[KeptMessage], where: str) -> int:
        """The same for messages of which id and payload are kept."""
        evidence, accepts, plain = self._slot(source, type, agreement)
        count = 0
        for message in messages:
            count += 1
            value = message.value
            if value is msgspec.UNSET:
                evidence.unknown += 1
            elif plain and accepts(value):
                evidence.fitting += 1
            else:
                self._judge(message.id, source, type, agreement, value, where, evidence)
        return count

    def _slot(self, source: str, type: str, agreement: str) -> tuple[Evidence, Any, bool]:
        new = self._judgement(type).new
        plain = new is not None and self._adapters.get(agreement, _NONE)[0] is None
        return self.of(source, type), new.accepts if new is not None else None, plain

    def _one(self, envelope: Envelope, where: str, evidence: Evidence) -> None:
        try:
            value = envelope.payload()
        except DecodeError:
            # It is buried today as well.
            evidence.refused_before += 1
            return
        self._judge(envelope.id, envelope.source, envelope.type, envelope.agreement, value, where, evidence)

    def _judge(
        self, id_: str, source: str, type: str, agreement: str, value: Any, where: str, evidence: Evidence
    ) -> None:
        judgement = self._judgement(type)
        new, old = self._adapters.get(agreement, _NONE)
        try:
            form = json_form(value)
        except EncodeError:
            evidence.refused_before += 1
            return
        if _accepted(judgement.new, new, form):
            evidence.fitting += 1
            evidence.in_flight += where not in ("settled", "stored")
        elif self._old is not None and not _accepted(judgement.old, old, form):
            evidence.refused_before += 1
        else:
            explained = len(evidence.failing) < MAX_REASONS
            path, why = _refusal(judgement.new, new, form, type) if explained else ("", "")
            evidence.failing[id_] = FailingMessage(id=id_, source=source, type=type, where=where, path=path, why=why)

    def _judgement(self, type: str) -> Judgement:
        if type not in self._judgements:
            schemas = [contract.accepts.get(type) if contract else None for contract in (self._new, self._old)]
            new, old = (None if schema is None else compile_validator(schema) for schema in schemas)
            self._judgements[type] = Judgement(new, old)
        return self._judgements[type]


def _refusal(validator: Validator | None, adapter: Adapter | None, form: Json, type: str) -> tuple[str, str]:
    """Where and why a value is refused."""
    if validator is None:
        return "$", f"{type!r} messages are not accepted."
    breach = validator.first(apply(adapter, form) if adapter else form)
    return (breach.path, breach.sentence) if breach else ("", "")


def _accepted(validator: Validator | None, adapter: Adapter | None, form: Json) -> bool:
    return validator is not None and validator.accepts(apply(adapter, form) if adapter else form)


def together(*several: Mapping[tuple[str, str], Evidence]) -> dict[tuple[str, str], Evidence]:
    """The evidence of several sources, by sender and type: they have met the same messages."""
    whole: dict[tuple[str, str], Evidence] = {}
    for evidence in several:
        for key, of in evidence.items():
            whole[key] = whole[key].overlap(of) if key in whole else of
    return whole

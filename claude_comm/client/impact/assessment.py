"""What breaks if a module registers this contract: the five sources, looked through and put together.

Law: nothing is changed but the projection, which is brought up to date. Each source says how far it was looked through;
what was not is unknown, and nothing is called safe because nothing was found.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from claude_comm.client.impact import past, routes, streams
from claude_comm.client.impact.past import PastWindow
from claude_comm.errors import SchemaError, UnknownModule
from claude_comm.impact import weigh
from claude_comm.impact.effects import Coverage, Effect, Impact, Source, order, worst
from claude_comm.impact.replay import Evidence, Replay, together
from claude_comm.names import Keys
from claude_comm.negotiation.agreement import Agreement
from claude_comm.negotiation.weigh import weigh as weigh_question
from claude_comm.ops import agreements, registry
from claude_comm.ops import impact as partners
from claude_comm.ops.partners import reading
from claude_comm.registry.contracts import Contract
from claude_comm.schema.evolution.adapter import Adapter
from claude_comm.settings import Settings
from claude_comm.store import shapes
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import Database
from claude_comm.store.shape_marks import marks_of
from claude_comm.transport.driver import Client

_DAY_S = 86_400


class ImpactScope(msgspec.Struct, frozen=True, kw_only=True):
    """How far to look: the traffic of so many days, at most so many messages of a flow one by one, pipelines by name
    and document of which nothing has to run, and whether each message that fails is named, or of those that are proved
    to fail as a whole the latest alone."""

    days: int = 30
    most: int = 1_000_000
    pipelines: tuple[tuple[str, Any], ...] = ()
    name_all: bool = False


def assess(client: Client, database: Database, settings: Settings, new: Contract, scope: ImpactScope) -> Impact:
    """The namespace of the settings is the one that the contract is weighed against. Raises UnknownModule for one that
    nobody has registered and nobody sends to, SchemaError, StoreError, TransportError."""
    return _Assessment(client, database, settings, new, scope).run()


class _Assessment:
    """One question, source by source."""

    def __init__(
        self, client: Client, database: Database, settings: Settings, new: Contract, scope: ImpactScope
    ) -> None:
        self._client, self._database, self._settings, self._new, self._scope = client, database, settings, new, scope
        self._keys = Keys(settings.namespace)
        self._now_us = time.time_ns() // 1000
        self._old: Contract | None = client.run(registry.find(self._keys, new.module))
        self._replay = Replay(new, self._old)
        self._coverage: list[Coverage] = []

    def run(self) -> Impact:
        new, old = self._new, self._old
        answered = self._partners()
        evidence = together(self._messages(), self._history())
        effects = list(weigh.effects(answered, evidence, new, old))
        effects += self._routes(evidence)
        if old is None and not effects:
            raise UnknownModule(new.module, self._client.run(registry.names(self._keys)))
        effects.sort(key=order)
        status = worst(effect.status for effect in effects)
        count = sum(effect.status == status for effect in effects)
        return Impact(
            module=new.module,
            version=new.version,
            before=old.version if old else "",
            namespace=self._settings.namespace,
            days=self._scope.days,
            status=status,
            sentence=weigh.sentence(new.module, new.version, status, count, len(effects)),
            effects=effects,
            coverage=self._coverage,
        )

    def _partners(self) -> list[weigh.Answered]:
        began = time.perf_counter()
        concerned = self._client.run(partners.concerned(self._keys, self._new, now_ms=self._now_us // 1000))
        answered = weigh.answers(concerned.partners)
        for partner in answered:
            agreement = concerned.agreements.get(partner.declared.agreement)
            if agreement is not None and partner.answer is not None and partner.declared.direction == "receives":
                self._replay.adapt(agreement.id, partner.answer.adapter, agreement.adapter)
        self._covered("partners", len(answered), len(answered), f"{len(answered):,} way(s) to partners weighed", began)
        return answered

    def _messages(self) -> Mapping[tuple[str, str], Evidence]:
        began = time.perf_counter()
        scanned = streams.scan(
            self._client,
            self._keys,
            self._new.module,
            self._targets(),
            self._replay,
            self._learn,
            since_ms=self._since_us // 1000,
            max_bytes=self._settings.max_envelope_bytes,
        )
        self._covered("messages", scanned.messages, scanned.messages, scanned.sentence, began)
        return self._replay.evidence

    def _history(self) -> Mapping[tuple[str, str], Evidence]:
        caught_up(self._client, self._database, self._settings)
        shapes.Folder(self._database, marks_of(self._client, self._keys)).all()
        began = time.perf_counter()
        flows = [
            flow
            for target in self._targets()
            for flow in shapes.of_target(self._database, target, self._keys.stream(target), since_us=self._since_us)
        ]
        self._learn({flow.flow.agreement for flow in flows})
        window = PastWindow(self._since_us, self._scope.most, self._scope.name_all)
        weighed = past.weigh(flows, self._new, self._replay, self._database, window)
        self._covered("history", weighed.messages - weighed.unknown, weighed.messages, weighed.sentence, began)
        return weighed.evidence

    def _routes(self, evidence: Mapping[tuple[str, str], Evidence]) -> list[Effect]:
        began = time.perf_counter()
        sessions = routes.sessions(self._client, self._keys, self._settings, self._new, self._now_us, evidence)
        self._covered("sessions", sessions.looked_at, sessions.looked_at, sessions.sentence, began)
        began = time.perf_counter()
        pipelines = routes.pipelines(self._client, self._keys, self._new)
        written = routes.documents(self._client, self._keys, self._new, self._scope.pipelines)
        count = pipelines.looked_at + written.looked_at
        words = f"{pipelines.sentence}; {written.sentence}" if self._scope.pipelines else pipelines.sentence
        self._covered("pipelines", count, count, words, began)
        return [*sessions.effects, *pipelines.effects, *written.effects]

    def _learn(self, met: Iterable[str]) -> None:
        """How messages are adapted that go under agreements that no pair has any more."""
        for id_ in met:
            if self._replay.knows(id_):
                continue
            agreement = self._client.run(agreements.find(self._keys, id_))
            self._replay.adapt(id_, *self._adapters(agreement))

    def _adapters(self, agreement: Agreement | None) -> tuple[Adapter | None, Adapter | None]:
        if agreement is None:
            return None, None
        try:
            return weigh_question(reading(agreement, self._new)).adapter, agreement.adapter
        except SchemaError:
            return None, agreement.adapter

    def _targets(self) -> list[str]:
        return streams.targets([self._new, *([self._old] if self._old else [])])

    @property
    def _since_us(self) -> int:
        return max(0, self._now_us - self._scope.days * _DAY_S * 1_000_000)

    def _covered(self, source: Source, looked_at: int, of: int, sentence: str, began: float) -> None:
        took_ms = round((time.perf_counter() - began) * 1000, 1)
        self._coverage.append(
            Coverage(source=source, looked_at=looked_at, of=of, sentence=f"{sentence}.", took_ms=took_ms)
        )

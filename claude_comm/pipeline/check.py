"""The check of a whole pipeline: its form, its graph, its versions, and every way from one step to the next.

Law: pure, and complete: a fault never hides another. A way is a `Hop`: what may be sent along it is held to what the
step at its end accepts, with the adapter that is written there, or, where aliases are declared, with one that needs no
guess. Nothing else is adapted unasked: what would mend a hop is proposed. Where one side declares no schema the hop is
`undeclared`, a state of its own and never compatible; a gate lets it pass only where that is asked for.

What leaves a step is what its module returns, with what it passes on and what is carried past it; what enters is what
leaves the step before, narrowed by the condition of the step. Where a step may be gone past (a condition that does not
hold, an optional step that fails), there is one hop more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.documents.form import DocumentProblem
from claude_comm.errors import SchemaError
from claude_comm.pipeline import mending, shapes
from claude_comm.pipeline.document import START, Pipeline, Step, malformed, read
from claude_comm.pipeline.facts import Facts, declared
from claude_comm.pipeline.graph import StepGraph, graph
from claude_comm.pipeline.mending import Mend
from claude_comm.pipeline.sources import INPUT, Missing, missing
from claude_comm.pipeline.weighing import Ask, weigh
from claude_comm.registry.contracts import Schema
from claude_comm.schema.evolution.adapter import Adapter
from claude_comm.schema.verdict import Incompatible, Policy, Undecided, Verdict, passes

_NO_LIST = "what is split is to be a list."
Answer: TypeAlias = Literal["yes", "no", "undecided", "undeclared"]
State: TypeAlias = Literal["compatible", "adapted", "incompatible", "impossible", "undecided", "undeclared"]


class Hop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From one step to the next: where the two schemas stand in the document, and the verdict.

    Without a verdict, `note` says why there was nothing to check. With an `adapter` the verdict is about what comes out
    of it. `missing` are the fields that the step needs and is not given, `mends` what would make the hop fit.
    """

    producer: str
    consumer: str
    produced_at: str
    accepted_at: str
    state: State
    verdict: Verdict | None = None
    note: str = ""
    adapter: Adapter | None = None
    missing: tuple[Missing, ...] = ()
    mends: tuple[Mend, ...] = ()


class ProvedHop(msgspec.Struct, frozen=True, kw_only=True):
    """What was proved of one hop: `produced` is what reaches the module, after the adapter."""

    step: str
    hop: Hop
    produced: Schema
    accepted: Schema


class PipelineReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found in one pipeline document."""

    pipeline_name: str
    problems: list[DocumentProblem]
    hops: list[Hop]
    allow_undeclared: bool = False

    @property
    def answer(self) -> Answer:
        """`no` for any fault or refusal, then `undecided`, then `undeclared`: the worst that was met."""
        states = {hop.state for hop in self.hops}
        if self.problems or states & {"incompatible", "impossible"}:
            return "no"
        if "undecided" in states:
            return "undecided"
        return "undeclared" if "undeclared" in states and not self.allow_undeclared else "yes"


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and what a run needs beside it; without a graph there is nothing to run. `passed` are the properties
    that each step was taken to hand on unchanged: it is held to them."""

    report: PipelineReport
    pipeline: Pipeline | None
    graph: StepGraph | None
    facts: Mapping[str, Facts]
    edges: list[ProvedHop]
    passed: Mapping[str, tuple[str, ...]] = {}

    def adapter(self, step: str) -> Adapter | None:
        """What is done to all that enters a step: as it is written, or as its aliases ask for."""
        written = self.graph.steps[step].adapter if self.graph else None
        return written or next(
            (edge.hop.adapter for edge in self.edges if edge.step == step and edge.hop.adapter), None
        )


def inspect(
    document: object,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    clock: Callable[[], float] | None = None,
    allow_undeclared: bool = False,
) -> PipelineReport:
    """The report on a pipeline document, whatever it holds.

    `budget_ms` is for each hop, by `clock` (seconds); without one it is counted in steps.
    """
    ask = Ask(policy=policy, budget_ms=budget_ms, clock=clock)
    return check_pipeline(document, ask, allow_undeclared=allow_undeclared).report


def check_pipeline(
    document: object,
    ask: Ask,
    *,
    resolve: Callable[[Step], tuple[Facts, list[DocumentProblem]]] = declared,
    allow_undeclared: bool = False,
) -> Checked:
    """The same, with what a run needs. `resolve` says what is known of the module of a step, from the document alone or
    from what is registered."""
    found = read(document)
    pipeline, problems = found.pipeline, list(found.problems)
    made, more = graph(pipeline) if pipeline is not None else (None, [])
    problems += more
    facts: dict[str, Facts] = {}
    for step in pipeline.steps if pipeline else ():
        facts[step.name], wrong = resolve(step)
        problems += wrong
    edges: list[ProvedHop] = []
    passed: Mapping[str, tuple[str, ...]] = {}
    if pipeline is not None and made is not None:
        walk = _Walk(pipeline, made, facts, frozenset(malformed(document)), ask)
        edges, passed = list(walk.edges()), walk.passed
    report = PipelineReport(
        pipeline_name=pipeline.name if pipeline else "",
        problems=problems,
        hops=[edge.hop for edge in edges],
        allow_undeclared=allow_undeclared,
    )
    return Checked(report=report, pipeline=pipeline, graph=made, facts=facts, edges=edges, passed=passed)


class _Way(msgspec.Struct, frozen=True, kw_only=True):
    """What may come along: from which step, where its schema stands, and past which steps it went."""

    source: str
    schema: Schema | None
    at: str
    past: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        source = self.source or INPUT
        return f"{source} (past {', '.join(self.past)})" if self.past else source


class _Walk:
    """One walk through a graph, each step after those before it."""

    def __init__(
        self,
        pipeline: Pipeline,
        graph: StepGraph,
        facts: Mapping[str, Facts],
        unusable: frozenset[tuple[int, str]],
        ask: Ask,
    ) -> None:
        self.graph, self.facts, self.ask = graph, facts, ask
        self._number = {step.name: number for number, step in enumerate(pipeline.steps)}
        self._unusable = unusable
        accepts = None if (-1, "input_schema") in unusable else pipeline.accepts
        self.ways: dict[str, list[_Way]] = {START: [_Way(source=START, schema=accepts, at="$.input_schema")]}
        self.leaving: dict[str, Schema | None] = {START: accepts}
        # What each step hands on unchanged, by name.
        self.passed: dict[str, tuple[str, ...]] = {name: _named(own.passes) for name, own in facts.items()}
        # Of steps that split a list, what they return, and whether that is one; None where no schema says it.
        self._lists: dict[str, tuple[Schema, Verdict] | None] = {}
        # Steps that may be left out altogether, because a branch was not taken.
        self.skipped: set[str] = set()

    def edges(self) -> Iterator[ProvedHop]:
        for name, step in self.graph.steps.items():
            branches = any(self.graph.forks(other) for other in step.after)
            absent = self.facts[name].absent
            conditional = step.when is not True or absent
            before = [other in self.skipped for other in step.after]
            if all(before) or (conditional and branches):
                self.skipped.add(name)
            ways = self._joined(step) if step.joins else self.ways[step.after[0]]
            if absent:
                self.ways[name] = [_past(way, msgspec.structs.replace(step, when=False)) for way in ways]
                self.leaving[name] = None
                continue
            edges = [self._edge(step, way) for way in ways if not _is_unsaid(way)]
            yield from edges
            yield from self._leave(step, ways, edges, past=conditional and not branches)

    def _joined(self, step: Step) -> list[_Way]:
        if step.gather:
            return [self._gathered(step)]
        parts: dict[str, Schema] = {}
        for name in step.after:
            alternatives = [way.schema for way in self.ways[name]]
            if any(schema is None for schema in alternatives):
                at = next(way.at for way in self.ways[name] if way.schema is None)
                return [_Way(source=" and ".join(step.after), schema=None, at=at)]
            parts[name] = shapes.either(schema for schema in alternatives if schema is not None)
        optional = frozenset(name for name in step.after if name in self.skipped)
        return [_Way(source=" and ".join(step.after), schema=shapes.joined(parts, optional), at=f"{step.place}.after")]

    def _gathered(self, step: Step) -> _Way:
        """What the items of a list have become, in a list as long as that one was."""
        ways, split = self.ways[step.after[0]], self._lists[step.gather]
        lacking = next((way for way in ways if way.schema is None), None)
        if lacking is not None:
            return _Way(source=step.after[0], schema=None, at=lacking.at)
        item = shapes.either(way.schema for way in ways if way.schema is not None)
        schema = shapes.listed(item, split[0] if split else None)
        return _Way(source=step.after[0], schema=schema, at=f"{step.place}.gather")

    def _edge(self, step: Step, way: _Way) -> ProvedHop:
        accepted = self.facts[step.name].accepts
        hop = Hop(
            producer=way.name,
            consumer=step.name,
            produced_at=way.at,
            accepted_at=self.facts[step.name].accepts_at,
            state="undeclared",
        )
        if self._is_malformed(way, step):
            hop = msgspec.structs.replace(hop, state="undecided", note="not checked: a schema is malformed.")
            return ProvedHop(step=step.name, hop=hop, produced=True, accepted=True)
        if way.schema is None or accepted is None:
            lacking = hop.produced_at if way.schema is None else hop.accepted_at
            hop = msgspec.structs.replace(hop, note=f"nothing to check: no schema at {lacking}.")
            return ProvedHop(step=step.name, hop=hop, produced=True, accepted=True if accepted is None else accepted)
        split = self._lists.get(way.source)
        if split is not None and not passes(split[1]):
            hop = msgspec.structs.replace(hop, state=_state(split[1]), verdict=split[1], note=_NO_LIST)
            return ProvedHop(step=step.name, hop=hop, produced=way.schema, accepted=accepted)
        return self._weighed(step, hop, way.schema, accepted)

    def _is_malformed(self, way: _Way, step: Step) -> bool:
        sides = {(self._number[step.name], "input_schema"), (self._number[step.name], "when")}
        if way.source in self._number:
            sides |= {(self._number[way.source], "output_schema"), (self._number[way.source], "while")}
        return bool(sides & self._unusable)

    def _weighed(self, step: Step, hop: Hop, schema: Schema, accepted: Schema) -> ProvedHop:
        produced, adapter = schema, step.adapter
        try:
            produced = shapes.narrowed(schema, step.when)
            reaching, verdict = weigh(produced, accepted, self.ask, adapter)
            if adapter is None and isinstance(verdict, Incompatible):
                return self._mended(step, hop, produced, accepted, verdict)
            produced = reaching
        except (SchemaError, shapes.Mixed) as error:
            verdict = _undecided(error)
        state: State = "adapted" if adapter is not None and passes(verdict) else _state(verdict)
        lacking = self._missing(step, produced, accepted) if state == "incompatible" else ()
        hop = msgspec.structs.replace(hop, state=state, verdict=verdict, adapter=adapter, missing=lacking)
        return ProvedHop(step=step.name, hop=hop, produced=produced, accepted=accepted)

    def _mended(self, step: Step, hop: Hop, produced: Schema, accepted: Schema, verdict: Verdict) -> ProvedHop:
        """A hop that does not fit as it is: with what its aliases are declared for, or with what would mend it."""
        aliases = self.facts[step.name].aliases
        found = mending.proposals(produced, accepted, aliases, self.ask)
        safe = next((proposal for proposal in found if proposal.applicable), None) if aliases else None
        if safe is not None:
            after, _ = weigh(produced, accepted, self.ask, safe.adapter)
            hop = msgspec.structs.replace(hop, state="adapted", verdict=safe.verdict, adapter=safe.adapter)
            return ProvedHop(step=step.name, hop=hop, produced=after, accepted=accepted)
        lacking = self._missing(step, produced, accepted)
        listed = mending.mends(step.name, produced, accepted, aliases, lacking, found, self.ask)
        hop = msgspec.structs.replace(hop, state="incompatible", verdict=verdict, missing=lacking, mends=tuple(listed))
        return ProvedHop(step=step.name, hop=hop, produced=produced, accepted=accepted)

    def _missing(self, step: Step, produced: Schema, accepted: Schema) -> tuple[Missing, ...]:
        return tuple(missing(self.graph, step.name, produced, accepted, self.leaving))

    def _leave(self, step: Step, ways: list[_Way], edges: list[ProvedHop], *, past: bool) -> Iterator[ProvedHop]:
        """Notes what may leave the step; the hop back to where it is done again from."""
        facts, name = self.facts[step.name], step.name
        entered = self._either([edge.produced for edge in edges]) if edges else facts.accepts
        returned = None if (self._number[name], "output_schema") in self._unusable else facts.returns
        if returned is not None and entered is not None:
            # Of mixed dialects a property less is known, so that nothing is proved by it.
            with contextlib.suppress(shapes.Mixed):
                self.passed[name] = shapes.passed(returned, entered, facts.passes)
                returned = shapes.with_fields(returned, entered, (*self.passed[name], *step.carry))
        if step.split:
            returned = self._split(name, returned)
        self.leaving[name] = returned
        self.ways[name] = [_Way(source=name, schema=returned, at=facts.returns_at)]
        if step.repeat is not None:
            first = self.graph.steps[step.repeat.start]
            back = msgspec.structs.replace(first, when=step.repeat.condition)
            yield self._edge(back, self.ways[name][0])
        if step.optional:
            self.ways[name].append(_Way(source=name, schema=entered, at=facts.accepts_at, past=(name,)))
        if past:
            self.ways[name] += [_past(way, step) for way in ways]

    def _split(self, name: str, returned: Schema | None) -> Schema | None:
        """What each item of the list may be that the step returns."""
        self._lists[name] = None
        if returned is None:
            return None
        try:
            _, verdict = weigh(returned, {"type": "array"}, self.ask)
        except SchemaError as error:
            verdict = _undecided(error)
        self._lists[name] = (returned, verdict)
        with contextlib.suppress(shapes.Mixed):
            return shapes.items(returned)
        return True

    def _either(self, schemas: list[Schema]) -> Schema:
        try:
            return shapes.either(schemas)
        except shapes.Mixed:
            return True


def _is_unsaid(way: _Way) -> bool:
    """Whether nothing is said about the inputs: each is held to the first step's contract when it is sent."""
    return way.source == START and way.schema is None


def _past(way: _Way, step: Step) -> _Way:
    """What does not enter a step, because its condition does not hold."""
    schema = way.schema
    if schema is not None:
        try:
            schema = shapes.narrowed(schema, step.when, holds=False)
        except shapes.Mixed:
            schema = None
    return msgspec.structs.replace(way, schema=schema, past=(*way.past, step.name))


def _named(passes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in passes if name != "*")


def _state(verdict: Verdict) -> State:
    if passes(verdict):
        return "compatible"
    return "impossible" if verdict.answer == "compatible" else verdict.answer


def _undecided(error: Any) -> Undecided:
    return Undecided(place=getattr(error, "path", ""), why=getattr(error, "sentence", str(error)))

"""Objects: which properties there must be, which there may be, and what their values are.

Law: every literal speaks of all properties whose name is in a set, or of some property whose name is in a set, or of
how many there are. Properties do not know each other; so an object is found when each property that must be there has
a value in everything that is said of its name, and there are names enough and not too many. Names that no literal
mentions fall into regions, by the patterns that hold for them: one fresh name of a region stands for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM
from claude_comm.schema.formula.nodes import Node, single_name
from claude_comm.schema.regex.language import Language
from claude_comm.schema.solver.goals import Goals
from claude_comm.schema.solver.resolver import Resolver
from claude_comm.schema.solver.result import UNSAT, Result, Sat, Unknown, Unsat, better
from claude_comm.schema.verdict import Json

MAX_REGIONS = 64
MAX_PLACEMENTS = 2_000
MAX_PROPERTIES = 2_000


class Region(msgspec.Struct, frozen=True, eq=False):
    """Names that nothing mentions, for which the same is said: `parts` is what."""

    names: Language
    parts: tuple[Node, ...]


class PropertySlot(msgspec.Struct, frozen=True, eq=False):
    """A property that is to be there: a mentioned `name`, or a fresh one in `names`; its value is in all `parts`."""

    name: str | None
    names: Node
    wanted: tuple[Node, ...]
    region: Region | None

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.wanted if self.region is None else (*self.wanted, *self.region.parts)


class ObjectSolver:
    """The objects that satisfy all literals."""

    def __init__(self, goals: Goals, literals: Iterable[nodes.Lit]) -> None:
        self.goals, self.resolver, self.factory = goals, goals.resolver, goals.resolver.factory
        self.low = 0
        self.high: int | None = None
        self.named: dict[str, list[Node]] = {}
        self.general: list[tuple[Node, Node]] = []
        self.present: dict[str, list[Node]] = {}
        self.some: list[tuple[Node, Node]] = []
        self.sure = True
        for literal in literals:
            self._add(literal.atom)
        self._mentioned: dict[str, None] | None = None
        self._constraints: dict[str, tuple[Node, ...]] = {}
        self._regions: dict[Node, list[Region]] = {}

    def _add(self, atom: nodes.Atom) -> None:
        match atom:
            case nodes.MinSize(count=count):
                self.low = max(self.low, count)
            case nodes.MaxSize(count=count):
                self.high = count if self.high is None else min(self.high, count)
            case nodes.EveryProperty(names=names, node=node):
                name = single_name(names)
                if name is None:
                    self.general.append((names, node))
                else:
                    self.named.setdefault(name, []).append(node)
            case nodes.SomeProperty(names=names, node=node):
                name = single_name(names)
                if name is None:
                    self.some.append((names, node))
                else:
                    self.present.setdefault(name, []).append(node)

    def conflicts_with(self, literal: nodes.Lit) -> bool:
        """Whether one literal more certainly leaves no object; literals about sets of names never conflict here."""
        match literal.atom:
            case nodes.MinSize(count=count):
                return self.high is not None and count > self.high
            case nodes.MaxSize(count=count):
                return count < max(self.low, len(self.present))
            case nodes.SomeProperty(names=names, node=node):
                name = single_name(names)
                return name is not None and self._closed(name, node)
            case nodes.EveryProperty(names=names, node=node):
                name = single_name(names)
                return name is not None and name in self.present and self._closed(name, node)
        return False

    def _closed(self, name: str, node: Node) -> bool:
        return isinstance(self.goals.goal([*self.constraints(name), *self.present.get(name, ()), node]), Unsat)

    def constraints(self, name: str) -> tuple[Node, ...]:
        """What every literal asks of the value of a property, if it is present."""
        constraints = self._constraints.get(name)
        if constraints is None:
            parts = list(self.named.get(name, ()))
            for names, node in self.general:
                inside = self.resolver.holds(names, name)
                if inside is None:
                    self.sure = False
                elif inside:
                    parts.append(node)
            constraints = self._constraints[name] = tuple(parts)
        return constraints

    def solve(self) -> Result:
        """An object with as few properties as possible."""
        if self.high is not None and self.high < max(self.low, len(self.present)):
            return UNSAT
        slots = [
            PropertySlot(name, BOTTOM, (*self.constraints(name), *parts), None) for name, parts in self.present.items()
        ]
        for slot in slots:
            if isinstance(self.goals.goal(slot.parts), Unsat):
                return UNSAT
        best: Result = UNSAT
        for count, placed in enumerate(self._placements(slots, 0)):
            if count >= MAX_PLACEMENTS:
                return better(
                    best, Unknown("too many ways to place the properties that must be there", "additionalProperties")
                )
            best = better(best, self._filled(placed))
            if isinstance(best, Sat) and best.sure:
                return best
        return best

    def _placements(self, slots: list[PropertySlot], index: int) -> Iterator[list[PropertySlot]]:
        """Every way to give each `some` a property: one that is there, one that is mentioned, or a fresh one."""
        self.resolver.tick()
        if index == len(self.some):
            yield slots
            return
        names, node = self.some[index]
        for at, slot in enumerate(slots):
            for grown in self._grown(slot, names, node):
                yield from self._placements([*slots[:at], grown, *slots[at + 1 :]], index + 1)
        taken = {slot.name for slot in slots}
        for new in self._new(taken, names, node):
            yield from self._placements([*slots, new], index + 1)

    def _grown(self, slot: PropertySlot, names: Node, node: Node) -> Iterator[PropertySlot]:
        """A property that is present anyway, with one more constraint."""
        wanted = (*slot.wanted, node)
        if slot.name is not None:
            if self._may_be(names, slot.name):
                yield from self._alive([PropertySlot(slot.name, slot.names, wanted, None)])
        else:
            conjunction = self.factory.conjunction([slot.names, names])
            yield from self._alive(
                PropertySlot(None, conjunction, wanted, region) for region in self.regions(conjunction)
            )

    def _new(self, taken: set[str | None], names: Node, node: Node) -> Iterator[PropertySlot]:
        for name in self.mentioned():
            if name not in taken and self._may_be(names, name):
                yield from self._alive([PropertySlot(name, names, (*self.constraints(name), node), None)])
        yield from self._alive(PropertySlot(None, names, (node,), region) for region in self.regions(names))

    def _alive(self, slots: Iterable[PropertySlot]) -> Iterator[PropertySlot]:
        for slot in slots:
            if not isinstance(self.goals.goal(slot.parts), Unsat):
                yield slot

    def _may_be(self, names: Node, name: str) -> bool:
        inside = self.resolver.holds(names, name)
        if inside is None:
            self.sure = False
        return inside is not False

    def _filled(self, slots: list[PropertySlot]) -> Result:
        """The object of these slots: fresh names are chosen, and properties added up to the least number."""
        if self.high is not None and len(slots) > self.high:
            return UNSAT
        if max(self.low, len(slots)) > MAX_PROPERTIES:
            return Unknown(f"an object of more than {MAX_PROPERTIES} properties", "minProperties")
        out: dict[str, Json] = {}
        fresh: list[tuple[Region, Json]] = []
        unknown: list[Unknown] = []
        sure = True
        for slot in slots:
            value = self.goals.goal(slot.parts)
            match value:
                case Unsat():
                    return UNSAT
                case Unknown():
                    unknown.append(value)
                case _:
                    sure = sure and value.sure
                    if slot.name is not None:
                        out[slot.name] = value.value
                    else:
                        assert slot.region is not None, "a fresh name is one of a region"
                        fresh.append((slot.region, value.value))
        if unknown:
            return unknown[0]
        named = _with_fresh_names(out, fresh)
        if named is None:
            return Unknown("too few names for the properties that must be there", "patternProperties")
        return self._padded(named, sure) if len(named) < self.low else Sat(named, sure and self.sure)

    def _padded(self, given: Mapping[str, Json], sure: bool) -> Result:
        """The properties given and further ones, up to the least number; none when all names are used up."""
        out = {**given}
        unknown: Unknown | None = None
        for name in self.mentioned():
            if len(out) >= self.low:
                break
            if name in out:
                continue
            value = self.goals.goal(self.constraints(name))
            if isinstance(value, Sat):
                out[name], sure = value.value, sure and value.sure
            elif isinstance(value, Unknown):
                unknown = value
        for region in self.regions(self.factory.strings((), holds=False)):
            if len(out) >= self.low:
                break
            value = self.goals.goal(region.parts)
            if isinstance(value, Sat):
                names = region.names.members(self.low + 1)
                for name in names:
                    if len(out) < self.low:
                        out.setdefault(name, value.value)
                sure = sure and value.sure
                # Long names are sampled and not listed: only a list of all of them shows that they are used up.
                if len(out) < self.low and region.names.size(len(names)) is None:
                    unknown = Unknown("names too long to be listed")
            elif isinstance(value, Unknown):
                unknown = value
        if len(out) >= self.low:
            return Sat(out, sure and self.sure)
        return unknown if unknown is not None else UNSAT

    def mentioned(self) -> dict[str, None]:
        """The names that some literal mentions, in a set or as the exception of one."""
        if self._mentioned is None:
            mentioned = dict.fromkeys((*self.named, *self.present))
            for names, _ in (*self.general, *self.some):
                mentioned.update(dict.fromkeys(sorted(_words(self.resolver, names))))
            self._mentioned = mentioned
        return self._mentioned

    def regions(self, names: Node) -> list[Region]:
        """The regions of the names in `names` that nothing mentions."""
        if names not in self._regions:
            self._regions[names] = self._split(names)
        return self._regions[names]

    def _split(self, names: Node) -> list[Region]:
        language, exact = self.goals.language(names)
        self.sure = self.sure and exact
        mentioned = Language.literals(self.mentioned())
        regions = [(language - mentioned, list[Node]())]
        for inside, node in self.general:
            self.resolver.tick()
            inner, exact = self.goals.language(inside)
            if not exact:
                # More names than are meant: leaving the literal out is sound, and no value found is sure.
                self.sure = False
                continue
            split = [(region & inner, [*parts, node]) for region, parts in regions]
            split += [(region - inner, parts) for region, parts in regions]
            regions = [(region, parts) for region, parts in split if not region.is_empty()]
            if len(regions) > MAX_REGIONS:
                self.sure = False
                break
        alive = [
            Region(region, tuple(parts)) for region, parts in regions if BOTTOM not in parts and not region.is_empty()
        ]
        return sorted(alive, key=lambda region: len(region.parts))


def _with_fresh_names(out: Mapping[str, Json], fresh: Sequence[tuple[Region, Json]]) -> dict[str, Json] | None:
    """The properties of `out` and one for each fresh value, where the regions have names enough."""
    named = {**out}
    for region, value in fresh:
        name = next((name for name in region.names.members(len(fresh) + 1) if name not in named), None)
        if name is None:
            return None
        named[name] = value
    return named


def _words(resolver: Resolver, names: Node) -> Iterator[str]:
    stack: list[Node] = [resolver.at_kind(names, nodes.STRING)]
    while stack:
        node = stack.pop()
        match node:
            case nodes.And(parts=parts) | nodes.Or(parts=parts):
                stack.extend(parts)
            case nodes.Lit(atom=nodes.StringEnum(values=words)):
                yield from words

"""Candidates for a witness, searched for where two schemas differ and nowhere else.

Law: what is given here is only a candidate; both validators look at the whole of it. A search is made only where no
value can be constructed, and where keywords depend on each other nothing is taken apart.

Theory of operation. The residual says which constraints of the consumer the producer does not imply, each at its place.
For such a place the walk goes down through properties, items and alternatives, and asks there alone for a value of the
producer's subschema that breaks the residual's; on the way back it puts that value into the smallest message of the
producer around it (`minimal_instance`). So for

    produced  {"type": "object", "properties": {"id": {"type": "string"}, "n": {"type": "integer", "minimum": 0}},
               "required": ["id", "n"]}
    accepted  the same with {"type": "integer", "minimum": 5} as `n`

the residual is `{"properties": {"n": {"minimum": 5}}}`. At `n` the producer's schema is narrowed by the opposite of
that keyword, `{"type": "integer", "minimum": 0, "exclusiveMaximum": 5}`; its smallest instance is 0; around it stands
`id` with its own smallest instance, and the candidate is `{"n": 0, "id": ""}`. What cannot be constructed is left to
the prover, which then has to look at two small subschemas and not at two documents.

Candidates come in order; the caller says of each whether it breaks the consumer: a place that has shown all is left.

Reference: witness generation by construction and search, Attouche, Baazizi, Colazzo, Ghelli, Sartiani and Scherzinger,
"Witness Generation for JSON Schema", PVLDB 15(13), 2022; here for a difference of two schemas, guided by its residual.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import jsonschema_rs

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, OutOfBudget, OutOfPart
from claude_comm.schema.containment.alike import needed, references
from claude_comm.schema.containment.contrary import is_broken, is_single, refusing, ways
from claude_comm.schema.containment.joined import joined, loosely
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance, minimal_instance, read_off
from claude_comm.schema.containment.one_text import one_text
from claude_comm.schema.containment.placing import always, as_it_is, placed
from claude_comm.schema.containment.remainder import apart, leaves, most_alike, taken_under
from claude_comm.schema.containment.residual import Walk
from claude_comm.schema.cost.validation_cost import size_of
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.solver.difference import SchemaPair
from claude_comm.schema.solver.result import Candidates, Sat
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.values import ordered
from claude_comm.schema.verdict import Json

MAX_ITEMS = 20_000
# Parts of parts of an object; forms of a union tried for what stands beside it; declared properties nobody names.
MAX_PARTS, MAX_FORMS, MAX_FURTHER = 6, 6, 12
# What a search at one place leaves of the budget for the other places.
OTHERS = 3 / 4
# Keywords that speak of properties one by one; and those that a message of declared properties alone meets unasked.
_OBJECT = frozenset(("type", "format", "properties", "required"))
_MET = frozenset(("additionalProperties", "propertyNames", "patternProperties", "minProperties", "dependentRequired"))
_ARRAY = frozenset(("type", "format", "items", "minItems", "maxItems"))
_UNION = frozenset(keywords.UNIONS)
_COMPOSED = _UNION | {"allOf", "unevaluatedProperties", "$defs"}
# What the residual may ask of properties, and names for one that nobody declares, plain ones first.
_ASKED = frozenset(("properties", "required", "additionalProperties"))
# What leads to other places; all else is broken where it stands.
_TAKEN_APART = _ASKED | _COMPOSED | {"$ref", "items", "prefixItems", "patternProperties"}
_FRESH = ("", *"abcdefghijklmnopqrstuvwxyz", *(f"further{index}" for index in range(1_000)))


class GuidedSearch:
    """The candidates of one pair of documents."""

    def __init__(self, produced: Document, accepted: Document, budget: Budget) -> None:
        self.definitions: Mapping[str, Json] = produced.definitions
        self.accepted: Mapping[str, Json] = accepted.definitions
        self.budget = budget
        # Whether the two differ in one keyword only: then every message that breaks the consumer breaks that one.
        self.alone = False
        # What the search is in: definitions of the consumer, and forms of unions with the form each stands against.
        self.entered: list[tuple[str, ...]] = []

    def all(self, produced: Json, rest: Json, patience: int) -> Candidates:
        """The messages for the residual of the whole."""
        self.alone = leaves(rest) == 1
        return self.messages(produced, rest, patience)

    def messages(self, produced: Json, rest: Json, patience: int) -> Candidates:
        """Values of `produced` that may not be in `rest`."""
        self.budget.tick()
        produced = self.inlined(produced)
        if rest is True or rest == {}:
            return
        if not isinstance(produced, dict) or not isinstance(rest, dict) or _TAKEN_APART.isdisjoint(rest):
            yield from self.searched(produced, rest, patience)
        elif asked := apart(rest):
            for part in asked:
                yield from self.messages(produced, part, patience)
        elif len(rest) == 1 and "$ref" in rest:
            yield from self.referred(produced, definition_name(rest["$ref"]), patience)
        elif self.separate(produced, rest):
            yield from self.objects(produced, rest, patience)
        elif produced.keys() <= _ARRAY and rest.keys() == {"items"} and self.few(produced):
            items, others = produced.get("items", True), int(produced.get("minItems", 1)) - 1
            candidates = self.messages(items, rest["items"], patience)
            yield from placed(candidates, lambda item: [*([self.value(items)] * others if others else ()), item])
        elif produced.keys() <= _ARRAY | {"prefixItems"} and rest.keys() == {"prefixItems"}:
            yield from self.positions(produced, rest["prefixItems"], patience)
        elif rest.keys() <= _UNION and len(rest) == 1 and (ours := self.forms(produced)):
            (theirs,) = rest.values()
            if not (yield from placed(self.branches(ours, theirs, patience), as_it_is, self.showing(rest))):
                yield from self.searched(produced, rest, patience)
        elif rest.keys() <= _ASKED | {"patternProperties"} and (ours := self.forms(produced)):
            for _, form in ours[:MAX_FORMS]:
                if (yield from placed(self.messages(form, rest, patience), as_it_is)):
                    return
        elif rest.keys() <= _ASKED | {"patternProperties"} and (parts := self.parts(produced)):
            # As if nothing else were asked of the object; what else is asked may refuse all of these.
            if not (yield from placed(self.objects(loosely(parts), rest, patience), as_it_is)):
                yield from self.searched(produced, rest, patience)
        else:
            yield from self.searched(produced, rest, patience)

    def inlined(self, schema: Json) -> Json:
        """A schema of the producer with what it refers to in it, as far as no keyword stands in both."""
        while isinstance(schema, dict) and "$ref" in schema:
            target = self.definitions[definition_name(schema["$ref"])]
            beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
            if not beside:
                schema = target
            elif isinstance(target, dict) and target.keys().isdisjoint(beside):
                schema = {**target, **beside}
            else:
                break
        return schema

    def referred(self, produced: Json, name: str, patience: int) -> Candidates:
        """Values that may not be in a definition of the consumer."""
        yield from self.once((name,), lambda: self.beyond(produced, self.accepted[name]), produced, patience)

    def once(self, place: tuple[str, ...], rest: Callable[[], Json], produced: Json, patience: int) -> Candidates:
        """Values of `produced` that may not be in `rest`: the smallest do not come back to a place that they are in."""
        if place in self.entered:
            return
        self.entered.append(place)
        try:
            yield from self.messages(produced, rest(), patience)
        finally:
            self.entered.remove(place)

    def beyond(self, produced: Json, accepted: Json) -> Json:
        """The residual of a part of the consumer's schema."""
        return Walk(self.definitions, self.accepted, self.budget.tick).beyond(produced, accepted)

    def few(self, produced: dict[str, Any]) -> bool:
        """Whether an array of the least length is no message that takes long to validate."""
        count = int(produced.get("minItems", 1))
        return count <= 1 or (
            count <= MAX_ITEMS and size_of(self.value(produced.get("items", True)), MAX_ITEMS) * count <= MAX_ITEMS
        )

    def positions(self, produced: dict[str, Any], rest: list[Json], patience: int) -> Candidates:
        """Arrays that end with the item that differs."""
        ours = [*produced.get("prefixItems", ()), *[produced.get("items", True)] * len(rest)]

        def after(before: list[Json]) -> Callable[[Json], Json]:
            return lambda item: [*map(self.value, before), item]

        for at, beyond in enumerate(rest):
            if beyond is not True:
                yield from placed(self.messages(ours[at], beyond, patience), after(ours[:at]))

    def forms(self, produced: dict[str, Any]) -> list[tuple[Json, Json]]:
        """The forms of a union, each as it is written and with what stands beside the union.

        None where that is not told form by form.
        """
        words = [keyword for keyword in keywords.UNIONS if keyword in produced]
        if len(words) != 1:
            return []
        forms, parts = produced[words[0]], produced.get("allOf", ())
        if len(parts) == 1 and isinstance(parts[0], dict) and parts[0].keys() == {"anyOf"}:
            # A closed `oneOf`: the forms as they were written, and beside them the closed ones.
            forms, parts = parts[0]["anyOf"], ()
        beside = {name: value for name, value in produced.items() if name not in _COMPOSED}
        closed = produced.get("unevaluatedProperties", True) is False
        if parts or not (beside or closed):
            return [] if parts else [(form, form) for form in forms]
        return [(form, self.form(form, beside, closed)) for form in forms]

    def parts(self, schema: Json, level: int = 0) -> list[Json]:
        """What all values of an object's schema fulfil: itself, and what stands under `allOf` or behind references."""
        if not isinstance(schema, dict) or level > MAX_PARTS:
            return []
        inner = [*schema.get("allOf", ())]
        if "$ref" in schema:
            inner.append(self.definitions[definition_name(schema["$ref"])])
        return [schema, *(part for schema in inner for part in self.parts(schema, level + 1))]

    def form(self, form: Json, beside: dict[str, Any], closed: bool) -> Json:
        """A form with what stands beside its union, as far as that is told keyword by keyword."""
        while isinstance(form, dict) and form.keys() == {"$ref"}:
            form = self.definitions[definition_name(form["$ref"])]
        whole = joined({**beside, "allOf": [form]}) if beside else form
        if whole is None:
            whole = loosely(self.parts({**beside, "allOf": [form]}))
        if closed and isinstance(whole, dict) and "properties" in whole:
            return {"additionalProperties": False, **whole}
        return whole

    def branches(self, ours: list[tuple[Json, Json]], theirs: list[Json], patience: int) -> Candidates:
        """Values of the alternatives that only the producer has, against those that only the consumer has."""
        walk = Walk(self.definitions, self.accepted, self.budget.tick)
        forms, own = walk.forms(theirs), [ordered(form) for form, _ in ours]
        kept, gone = set(own), 0
        new = [at for text, at in forms.by_text.items() if text not in kept]
        for written, (form, branch) in zip(own, ours, strict=True):
            if forms.taking(form) is not None or (branch is not form and forms.taking(branch) is not None):
                continue
            near = forms.near(walk.sent.of(branch))
            # A form that changed stands against what it was changed into: the first that is left, if nothing tells.
            left = most_alike(form, {at: theirs[at] for at in ([at for at in new if at in near] or near)})
            named = forms.by_text.get(written, left[min(gone, len(left) - 1)] if left else None)
            against = theirs[named] if named is not None else False
            gone += 1
            place = written, ordered(against)
            yield from self.once(place, functools.partial(walk.beyond, branch, against), branch, patience)

    def separate(self, produced: dict[str, Any], rest: dict[str, Any]) -> bool:
        """Whether properties can be looked at one by one."""
        if "properties" not in produced or not rest.keys() <= _ASKED:
            return False
        # Which names are further ones is for a search where patterns tell.
        if "additionalProperties" in rest and "patternProperties" in produced:
            return False
        if produced.keys() <= _OBJECT:
            return True
        needed, wanted = set(produced.get("required", ())), rest.get("properties", {})
        return (
            produced.keys() <= _OBJECT | _MET
            and wanted.keys() <= produced["properties"].keys()
            and len(needed) + ("required" not in rest) >= produced.get("minProperties", 0)
            and not any(name in needed or name in wanted for name in produced.get("dependentRequired", ()))
        )

    def objects(self, produced: dict[str, Any], rest: dict[str, Any], patience: int) -> Candidates:
        """A message with each property that differs, and one without those that the consumer requires."""
        declared, wanted, missing = produced["properties"], rest.get("properties", {}), rest.get("required", [])
        needed = produced.get("required", ())
        given = {name: self.value(declared.get(name, True)) for name in needed if name not in wanted}
        # Beside the only property that differs there is no other that does.
        differing = () if len(wanted) == 1 and len(rest) == 1 else [name for name in needed if name in wanted]
        others = {name: self.agreeable(declared.get(name, True), wanted[name]) for name in differing}

        def around(name: str) -> Callable[[Json], Json]:
            return lambda value: {**others, name: value, **given}

        for name, beyond in wanted.items():
            if (yield from placed(self.messages(taken_under(produced, name), beyond, patience), around(name))):
                # What such a message lacks as well, it has shown.
                missing = [other for other in missing if other == name]
        if missing:
            yield {**others, **given}
        for pattern, beyond in rest.get("patternProperties", {}).items():
            name = one_text({"type": "string", "pattern": pattern})
            if name is not None:
                taken = produced.get("patternProperties", {}).get(pattern, produced.get("additionalProperties", True))
                values = self.messages(declared.get(name, taken), beyond, patience)
                yield from placed(values, around(name))
        if "additionalProperties" in rest:
            yield from self.further(produced, wanted, rest["additionalProperties"], patience, around)

    def further(
        self,
        produced: dict[str, Any],
        named: Mapping[str, Json],
        beyond: Json,
        patience: int,
        around: Callable[[str], Callable[[Json], Json]],
    ) -> Candidates:
        """Messages with properties that the consumer does not name: each declared one, or another that it refuses."""
        shown, shows = False, self.showing(beyond)
        for at, (name, schema) in enumerate(self.unnamed(produced, named)):
            if shown and (at >= MAX_FURTHER or name not in produced["properties"]):
                return
            shown |= yield from placed(self.messages(schema, beyond, patience), around(name), shows)

    def unnamed(self, produced: dict[str, Any], named: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
        """Properties of the producer that the consumer does not name: declared ones, then one that nobody declares."""
        declared, others = produced["properties"], produced.get("additionalProperties", True)
        yield from ((name, schema) for name, schema in declared.items() if name not in named)
        if others is not False:
            fresh = (name for name in _FRESH if name not in named and name not in declared)
            yield from ((name, others) for name in itertools.islice(fresh, 1))

    def value(self, schema: Json) -> Json:
        """A value for a property that has to be there; raises `NoMinimalInstance`."""
        return minimal_instance(schema, self.definitions, self.solved)

    def agreeable(self, schema: Json, beyond: Json) -> Json:
        """A value for a property that has to be there and that differs: one that the consumer takes, where that is read
        off, so that a message shows one difference alone. Raises `NoMinimalInstance`."""
        ours = self.inlined(schema)
        if isinstance(ours, dict) and isinstance(beyond, dict) and not references(beyond):
            both = joined({"allOf": [ours, beyond]})
            if both is not None:
                with suppress(NoMinimalInstance):
                    return read_off(both, self.definitions)
        return self.value(schema)

    def solved(self, schema: Json) -> Json:
        """What cannot be read off."""
        text = one_text(schema)
        if text is not None:
            return text
        result = self.question(schema, False).ask()
        if isinstance(result, Sat):
            return result.value
        raise NoMinimalInstance

    def searched(self, produced: Json, rest: Json, patience: int) -> Candidates:
        """The plainest values, one a keyword; for what they do not show, those that a proof comes upon."""
        known: list[Json] = []
        every, asked = True, ways(rest)
        for way in asked:
            shows = self.showing(way, several=len(asked) > 1)
            if any(map(shows, known)):
                continue
            shown = False
            for plain in self.plainest(produced, way):
                if (yield plain):
                    known.append(plain)
                    shown = is_single(way) and shows(plain)
            every = every and shown
        if every:
            return
        # A leaf that takes long leaves time for the others.
        try:
            with self.budget.keeping(OTHERS):
                yield from self.question(produced, rest).breaking(known, patience)
        except (OutOfBudget, OutOfPart):
            self.budget.look()

    def plainest(self, produced: Json, way: Json) -> list[Json]:
        """The smallest value that is meant to break one keyword, where it is read off."""
        narrow = refusing(produced, way)

        def solve(part: Json) -> Json:
            if part is narrow:
                # What is searched as a whole is searched by the proof, and only once.
                raise NoMinimalInstance
            return self.solved(part)

        try:
            return [minimal_instance(narrow, self.definitions, solve)]
        except NoMinimalInstance:
            return []

    def showing(self, rest: Json, several: bool = False) -> Callable[[Json], bool]:
        """Whether a value, of which it is known that it breaks the consumer, shows that `rest` may be broken, beside
        which `several` others may be."""
        if (self.alone and not several) or rest is False:
            return always

        # Compiled once, and only where a value needs it.
        ready: list[jsonschema_rs.Validator | None] = []

        def shows(value: Json) -> bool:
            broken = is_broken(rest, value)
            if broken is not None:
                return broken
            ready[:] = ready or [self.compiled(rest)]
            try:
                return ready[0] is not None and not ready[0].is_valid(value)
            except ValueError:
                return False

        return shows

    def compiled(self, rest: Json) -> jsonschema_rs.Validator | None:
        """A part of the residual, with no definition that it does not need: a large schema has many more."""
        try:
            return compiled(_whole(rest, needed(rest, self.accepted)), DEFAULT)
        except SchemaError:
            return None

    def question(self, produced: Json, rest: Json) -> SchemaPair:
        return SchemaPair(_document(produced, self.definitions), _document(rest, self.accepted), self.budget)


def _document(schema: Json, definitions: Mapping[str, Json]) -> Document:
    return Document(schema=_whole(schema, definitions), origins={}, opaque=False, lexical=False, dynamic=False)


def _whole(schema: Json, definitions: Mapping[str, Json]) -> Json:
    return {**schema, "$defs": definitions} if definitions and isinstance(schema, dict) else schema

"""The residual: the consumer's constraints that the producer's keywords do not already imply.

Law: a value of `produced` is in `accepted` exactly when it is in the residual; so where nothing remains the pair is
compatible, and that is a proof. A keyword is dropped only when a keyword of the producer at the same place implies it;
whatever is not understood here remains.

Theory of operation. Both schemas are walked together, place by place: the residual of `R` under `L` is the conjunction
of those keywords of `R` that are not valid consequences of `L`. One rule a keyword (`implications`) decides that, from
the keywords of `L` at the same place; where a keyword holds schemas, what remains of it is their residual under the
schemas of `L` at the same member. So

    L = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    R = {"type": "object", "properties": {"n": {"type": "number", "maximum": 9}, "t": {"type": "string"}}}

leaves `{"properties": {"n": {"maximum": 9}, "t": {"type": "string"}}}`: `type` is implied twice (every integer is a
number), `maximum` is not, and `t` may be anything, as `L` does not limit it. What remains is what a witness must break,
and `guided_witness` goes to these places alone. A message schema and a later version of it differ in few places: one
walk over both finds them.

References are followed. A pair that is met again while it is being compared counts as implied there, by coinduction:
JSON values are finite, so a least value that broke it would have to hold a smaller one. What was concluded under such
an assumption is kept only when the pair that it leaned on is implied as well (as in `solver.prover`).

Reference: syntactic subsumption in description logics, structural subtyping of schemas (Habib, Shinnar, Hirzel and
Pradel, "Finding Data Compatibility Bugs with JSON Subschema Checks", ISSTA 2021), made one-sided: it may fail to imply,
and never implies wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.containment import unions
from claude_comm.schema.containment.alike import alike, alike_definitions, bare, references
from claude_comm.schema.containment.implications import RULES, Rule, Schema, absent, effort
from claude_comm.schema.containment.outlines import Outlines
from claude_comm.schema.kept import kept
from claude_comm.schema.normalform.closing import original_of
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json

# Alternatives may be compared each with each, on every level: past so many the rest remains as it is.
MAX_COMPARISONS = 20_000
COMPARISONS_A_LOOK = 64


def residual(
    produced: Document, accepted: Document, look: Callable[[], None] = lambda: None, known: Json = None
) -> Json:
    """The residual of two documents, as a schema with the definitions of `accepted`; True where nothing remains.

    `look` is called every few comparisons, and may raise. `known` is the residual of a producer that may send more: it
    is all that there is to compare.
    """
    if produced.dynamic or accepted.dynamic:
        return accepted.schema
    walk = Walk(produced.definitions, accepted.definitions, look)
    try:
        rest = walk.beyond(bare(produced.schema), bare(accepted.schema if known is None else known))
    except (TooManyComparisons, RecursionError):
        # Definitions that lead to definitions may nest deeper than the interpreter's stack.
        return accepted.schema
    if accepted.definitions and isinstance(rest, dict):
        return {**rest, "$defs": dict(accepted.definitions)}
    return rest


class TooManyComparisons(Exception):
    """It never leaves the engine."""


class Walk:
    """One comparison of two sides, each with its definitions; `shared`: those that mean the same on both."""

    def __init__(
        self, produced: Mapping[str, Json], accepted: Mapping[str, Json], look: Callable[[], None] = lambda: None
    ) -> None:
        self.produced, self.accepted, self.looked = produced, accepted, look
        self.comparisons = MAX_COMPARISONS
        # Whether it is only asked if anything remains: then the first thing that does is enough.
        self.hasty = False
        self._forms: dict[int, unions.AcceptedForms] = {}
        self._kept: list[Schema] = []
        # Pairs of a schema of the producer and a definition of the consumer: what remains of those that are settled;
        # those that are open, with their depth; and those that are implied if one that is open is, with its depth.
        self._settled: dict[_Pair, Json] = {}
        self._open: dict[_Pair, int] = {}
        self._leaning: dict[_Pair, float] = {}
        # Those of which it is only known that something remains.
        self._refused: set[_Pair] = set()
        self._leans_on: float = math.inf

    @kept
    def sent(self) -> Outlines:
        """The outlines of the producer's schemas."""
        return Outlines(self.produced)

    @kept
    def taken(self) -> Outlines:
        """The outlines of the consumer's."""
        return Outlines(self.accepted)

    @kept
    def shared(self) -> frozenset[str]:
        return alike_definitions(self.produced, self.accepted)

    def same(self, left: Json, right: Json) -> bool:
        if not isinstance(right, _NESTED):
            return alike(left, right)
        return bool(left == right) and self._same(left, right)

    def _same(self, left: Json, right: Json) -> bool:
        """The same of an object or a list, that equals the other one as Python has it."""
        # Most are alike in the order of their keys and refer to nothing, which is seen at once.
        if isinstance(right, dict) and _MARKED.isdisjoint(right) and _WORDS.issuperset(map(type, right.values())):
            # Of the values that equal a text or an integer, true and floats are neither.
            return _WORDS.issuperset(map(type, left.values()))
        written = text(right)
        if written != text(left) and not alike(left, right):
            return False
        return b'"$' not in written or (
            b'"$opaque"' not in written and (b'"$ref"' not in written or references(right) <= self.shared)
        )

    def look(self, comparisons: int = 1) -> None:
        """Counts so many comparisons; raises `TooManyComparisons`."""
        before = self.comparisons
        self.comparisons = left = before - comparisons
        if left < 0 or before // COMPARISONS_A_LOOK != left // COMPARISONS_A_LOOK:
            self._look(left)

    def _look(self, left: int) -> None:
        if left < 0:
            raise TooManyComparisons
        self.looked()

    def beyond(self, left: Json, right: Json) -> Json:
        """The residual of `right` for the values of `left`; raises `TooManyComparisons`."""
        self.comparisons = count = self.comparisons - 1
        if count % COMPARISONS_A_LOOK == COMPARISONS_A_LOOK - 1 or count < 0:
            self._look(count)
        if right is True or left is False:
            return True
        if not isinstance(right, dict):
            return True if self.same(left, right) else right
        if not isinstance(left, dict):
            left = _ANYTHING
        if not right or (left == right and self._same(left, right)):
            return True
        if "$ref" in right and len(right) == 1:
            return self._referred(left, definition_name(right["$ref"]))
        if "$ref" in left and len(left) == 1:
            return self.beyond(self.produced[definition_name(left["$ref"])], right)
        if not _LINKED.isdisjoint(right):
            return right
        if "allOf" not in left and "$ref" not in left:
            return self._by_rules(left, right)
        # Each part may imply what those before it leave: so that has to be all of it.
        before, self.hasty = self.hasty, False
        rest = self._beyond_all(self._parts(left), self._by_rules(left, right))
        self.hasty = before
        return rest

    def _by_rules(self, left: Schema, right: Schema) -> Json:
        rest: dict[str, Any] = {}
        silent = absent(left)
        # One rule may be that of several keywords.
        rules: dict[Rule | str, None] = dict.fromkeys(
            [RULES.get(keyword) or keyword for keyword in right if keyword not in silent]
        )
        for rule in sorted(rules, key=effort) if self.hasty else rules:
            if isinstance(rule, str):
                if rule not in left or not self.same(left[rule], right[rule]):
                    rest[rule] = right[rule]
            else:
                rest.update(rule(self, left, right))
            if rest and self.hasty:
                break
        return rest or True

    def _beyond_all(self, parts: Iterable[Json], rest: Json) -> Json:
        """What remains of `rest` beside schemas that the producer's values fulfil as well."""
        for part in parts:
            if rest is True:
                break
            rest = self.beyond(part, rest)
        return rest

    def _parts(self, left: Schema) -> Iterator[Json]:
        """What stands beside the keywords of a schema, and holds for its values too."""
        yield from left.get("allOf", ())
        if "$ref" in left:
            yield self.produced[definition_name(left["$ref"])]

    def _referred(self, left: Schema, name: str) -> Json:
        """The residual of a definition."""
        source = definition_name(left["$ref"]) if _is_reference(left) else None
        # Closing only takes away, so that a closed copy is within its original.
        if source is not None and original_of(source) == name in self.shared:
            return True
        pair = (id(left) if source is None else source, name)
        if pair in self._settled:
            return self._settled[pair]
        if self.hasty and pair in self._refused:
            return False
        depth = self._leaning.get(pair, self._open.get(pair))
        if depth is not None:
            self._leans_on = min(self._leans_on, depth)
            return True
        return self._compared(pair, left if source is None else self.produced[source], self.accepted[name])

    def _compared(self, pair: _Pair, left: Json, right: Json) -> Json:
        before, self._leans_on = self._leans_on, math.inf
        depth, mark = len(self._open), len(self._leaning)
        self._open[pair] = depth
        rest = self.beyond(left, right)
        del self._open[pair]
        leans_on, self._leans_on = self._leans_on, min(before, self._leans_on if self._leans_on < depth else math.inf)
        under = list(self._leaning)[mark:]
        if rest is True and leans_on < depth:
            self._leaning[pair] = leans_on
            return True
        for other in under:
            del self._leaning[other]
        # What was implied under the assumption that this pair is: implied, now that it is; else unknown again.
        self._settled.update(dict.fromkeys(under, True) if rest is True else {})
        if rest is not True and self.hasty:
            self._refused.add(pair)
        else:
            self._settled[pair] = rest
        return rest

    def implied(self, left: Json, right: Json) -> bool:
        """Whether nothing remains: the same as `beyond`, ended by the first thing that does."""
        before, self.hasty = self.hasty, True
        try:
            return self.beyond(left, right) is True
        finally:
            self.hasty = before

    def followed(self, schema: Json) -> Json:
        """What a reference of the producer stands for, however long the chain; anything else as it is."""
        while _is_reference(schema):
            schema = self.produced[definition_name(schema["$ref"])]
        return schema

    def forms(self, forms: list[Json]) -> unions.AcceptedForms:
        """The forms of a union of the consumer, made ready."""
        known = self._forms.get(id(forms))
        if known is None or known.forms is not forms:
            known = self._forms[id(forms)] = unions.AcceptedForms(self, forms)
        return known

    def kept(self, schema: Schema) -> Schema:
        """A schema that is made on the way: it is kept, so that its id stays its own."""
        self._kept.append(schema)
        return schema


def _is_reference(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.keys() == {"$ref"}


# A definition of the producer by its name, or any other schema by its id; and a definition of the consumer.
_Pair = tuple[str | int, str]
_ANYTHING: Schema = {}
_NESTED = (dict, list)
_WORDS = frozenset((str, int))
# What may mean something else on the other side, though it is written alike.
_MARKED = frozenset(("$ref", "$opaque"))

# What these say depends on what stands beside them, or on which of it has looked at a value.
_LINKED = keywords.UNEVALUATED | {"$opaque", "$defs"}

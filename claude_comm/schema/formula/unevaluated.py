"""`unevaluatedProperties` and `unevaluatedItems`, without tracing an evaluation.

Law: a name is evaluated when some keyword in place declares it, under the condition that the branch which holds that
keyword accepts the value. So the names fall into regions, each with the conditions under which it is evaluated, and the
keyword says of each region: one of its conditions holds, or everything in it is of the keyword's schema. That is exact,
and linear in the number of regions. Annotations: JSON Schema 2020-12 core, section 7.7 and 11.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import TOP
from claude_comm.schema.formula.nodes import ARRAY, OBJECT, Node
from claude_comm.schema.formula.translator import Translator
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.verdict import Json

# Patterns that may overlap make 2^n regions.
MAX_PATTERNS = 5
MAX_CONTAINS = 4
MAX_CHAIN = 40


def unevaluated_properties(t: Translator, schema: dict[str, Any]) -> Node:
    """What the keyword says, as a formula."""
    rest = t.node(schema["unevaluatedProperties"])
    sources = _sources(t, schema, TOP, ())
    named: dict[str, list[Node]] = {}
    general: dict[Node, list[Node]] = {}
    for condition, names in sources:
        if names is None:
            return t.factory.opaque("`unevaluatedProperties` beside a reference that consumes nothing")
        if isinstance(names, frozenset):
            for name in names:
                named.setdefault(name, []).append(condition)
        else:
            general.setdefault(names, []).append(condition)
    if len(general) > MAX_PATTERNS:
        return t.factory.opaque(f"`unevaluatedProperties` over more than {MAX_PATTERNS} patterns")
    parts = list[Node]()
    by_conditions: dict[frozenset[Node], set[str]] = {}
    for name, listed in named.items():
        by_conditions.setdefault(frozenset(listed), set()).add(name)
    regions = [(t.factory.strings(names), under) for under, names in by_conditions.items()]
    regions.append((t.factory.strings(named, holds=False), frozenset()))
    for chosen in itertools.product((True, False), repeat=len(general)):
        inside = [region for region, taken in zip(general, chosen, strict=True) if taken]
        outside = [t.factory.negation(region) for region, taken in zip(general, chosen, strict=True) if not taken]
        extra = {condition for region in inside for condition in general[region]}
        for names, conditions in regions:
            t.tick()
            here = t.factory.conjunction([names, *inside, *outside])
            every = t.factory.lit(OBJECT, nodes.EveryProperty(here, rest))
            parts.append(t.factory.disjunction([every, *(conditions | extra)]))
    return t.factory.conjunction(parts)


def _sources(
    t: Translator, schema: Json, condition: Node, path: tuple[str, ...]
) -> Iterator[tuple[Node, frozenset[str] | Node | None]]:
    """What is evaluated here and under which condition: names, or a formula over names; None if nobody knows."""
    if not isinstance(schema, dict):
        return
    if schema.get("properties"):
        yield condition, frozenset(schema["properties"])
    for source in schema.get("patternProperties", ()):
        yield condition, t.pattern(source)
    if "additionalProperties" in schema or (path and "unevaluatedProperties" in schema):
        yield condition, TOP
    for inner, under, step in _in_place(t, schema, condition, path):
        if inner is None:
            yield condition, None
        else:
            yield from _sources(t, inner, under, step)


def _in_place(
    t: Translator, schema: dict[str, Any], condition: Node, path: tuple[str, ...]
) -> Iterator[tuple[Json, Node, tuple[str, ...]]]:
    """The subschemas that see the same value, each with the condition under which its annotations count."""
    t.tick()
    below = (*path, "")
    for item in schema.get("allOf", ()):
        yield item, condition, below
    for keyword in ("anyOf", "oneOf"):
        for item in schema.get(keyword, ()):
            yield item, t.factory.conjunction([condition, t.node(item)]), below
    if "if" in schema:
        test = t.node(schema["if"])
        yield schema["if"], t.factory.conjunction([condition, test]), below
        yield schema.get("then", True), t.factory.conjunction([condition, test]), below
        yield schema.get("else", True), t.factory.conjunction([condition, t.factory.negation(test)]), below
    for name, item in schema.get("dependentSchemas", {}).items():
        # An array or a number has no such name: then the schema is not applied, and evaluates nothing.
        yield item, t.factory.conjunction([condition, t.factory.kinds(OBJECT), t.has(name)]), below
    if "$ref" in schema:
        name = definition_name(schema["$ref"])
        known = name not in path and len(path) < MAX_CHAIN
        yield (t.definitions[name] if known else None), condition, (*path, name)


def unevaluated_items(t: Translator, schema: dict[str, Any]) -> Node:
    """What the keyword says, as a formula: the same, with positions for names."""
    rest = t.node(schema["unevaluatedItems"])
    sources = list(_item_sources(t, schema, TOP, ()))
    if None in sources:
        return t.factory.opaque("`unevaluatedItems` beside a reference that consumes nothing")
    upto = [source for source in sources if isinstance(source, _UpTo)]
    contained = [source for source in sources if isinstance(source, _Contained)]
    always = [node for condition, node in contained if condition is TOP]
    sometimes = [(condition, node) for condition, node in contained if condition is not TOP]
    if len(sometimes) > MAX_CONTAINS:
        return t.factory.opaque(f"`unevaluatedItems` over more than {MAX_CONTAINS} conditional `contains`")
    starts = sorted({0, *(count for _, count in upto if count is not None)})
    parts = list[Node]()
    for start, end in itertools.zip_longest(starts, starts[1:]):
        conditions = [condition for condition, count in upto if count is None or count > start]
        for size in range(len(sometimes) + 1):
            for chosen in itertools.combinations(sometimes, size):
                kept = t.factory.disjunction([rest, *always, *(node for _, node in chosen)])
                # Unless exactly the chosen ones count, this line says nothing: another one does.
                others = [condition for condition, node in sometimes if (condition, node) not in chosen]
                not_held = [t.factory.negation(condition) for condition, _ in chosen]
                parts.append(t.factory.disjunction([_stretch(t, start, end, kept), *conditions, *not_held, *others]))
    return t.factory.conjunction(parts)


def _stretch(t: Translator, start: int, end: int | None, node: Node) -> Node:
    if end is None:
        return t.factory.lit(ARRAY, nodes.AtMost(start, t.factory.negation(node), 0))
    return t.factory.conjunction(t.factory.lit(ARRAY, nodes.Item(index, node)) for index in range(start, end))


class _UpTo(NamedTuple):
    """Under `condition` the items before `end` are evaluated; None: all of them."""

    condition: Node
    end: int | None


class _Contained(NamedTuple):
    """Under `condition` the items of `node` are evaluated."""

    condition: Node
    node: Node


def _item_sources(
    t: Translator, schema: Json, condition: Node, path: tuple[str, ...]
) -> Iterator[_UpTo | _Contained | None]:
    """Which items are evaluated here and under which condition; None if nobody knows."""
    if not isinstance(schema, dict):
        return
    if "prefixItems" in schema:
        yield _UpTo(condition, len(schema["prefixItems"]))
    if "items" in schema or (path and "unevaluatedItems" in schema):
        yield _UpTo(condition, None)
    if "contains" in schema:
        yield _Contained(condition, t.node(schema["contains"]))
    for inner, under, step in _in_place(t, schema, condition, path):
        if inner is None:
            yield None
        else:
            yield from _item_sources(t, inner, under, step)

"""What each keyword says, as a formula: one rule a keyword.

Law: a rule denotes exactly the values that its keyword accepts, whatever stands beside it; a keyword that speaks of one
kind of value becomes a literal that all other kinds satisfy, as JSON Schema has it. Formats are annotations and say
nothing.

`oneOf` is "one at least" and, for each two branches, "not both": quadratic, and never exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.disjointness import disjoint, outline
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.formula.translator import Rule, Translator
from claude_comm.schema.formula.unevaluated import unevaluated_items, unevaluated_properties
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.values import exact, key

# More branches than this in one `oneOf` would make half a million pairs.
MAX_ONE_OF = 300


def translator(factory: FormulaFactory, document: Document, prefix: str, tick: Callable[[], None]) -> Translator:
    """A translator of one document that knows all keywords."""
    return Translator(factory, document, prefix, tick, RULES)


_BITS = {"null": NULL, "boolean": BOOLEAN, "number": NUMBER, "string": STRING, "array": ARRAY, "object": OBJECT}


def _type(t: Translator, schema: dict[str, Any]) -> Node:
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    bits = 0
    for name in names:
        bits |= _BITS.get(name, 0)
    whole = t.factory.kinds(bits)
    if "integer" not in names or bits & NUMBER:
        return whole
    integer: list[nodes.Atom] = [nodes.Multiple(exact(1), True)]
    if schema.get("$lexical"):
        integer.append(nodes.Lexical(True))
    return t.factory.disjunction(
        [whole, t.factory.conjunction(t.factory.lit(NUMBER, atom, strict=True) for atom in integer)]
    )


def _enum(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.constant(key(value) for value in schema["enum"])


def _const(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.constant([key(schema["const"])])


def _bound(keyword: str, kind: type[nodes.LowerBound | nodes.UpperBound], is_open: bool) -> Callable[..., Node]:
    return lambda t, schema: t.number(kind(exact(schema[keyword]), is_open))


def _size(keyword: str, kind: int, atom: type[nodes.MinSize | nodes.MaxSize]) -> Callable[..., Node]:
    return lambda t, schema: t.factory.lit(kind, atom(int(schema[keyword])))


def _prefix_items(t: Translator, schema: dict[str, Any]) -> Node:
    return t.array(*(nodes.Item(index, t.child(item)) for index, item in enumerate(schema["prefixItems"])))


def _items(t: Translator, schema: dict[str, Any]) -> Node:
    wrong = t.factory.negation(t.child(schema["items"]))
    return t.array(nodes.AtMost(len(schema.get("prefixItems", ())), wrong, 0))


def _contains(t: Translator, schema: dict[str, Any]) -> Node:
    node = t.child(schema["contains"])
    atoms: list[nodes.Atom] = [nodes.AtLeast(0, node, int(schema.get("minContains", 1)))]
    if "maxContains" in schema:
        atoms.append(nodes.AtMost(0, node, int(schema["maxContains"])))
    return t.array(*atoms)


def _unique_items(t: Translator, schema: dict[str, Any]) -> Node:
    return t.array(nodes.Distinct(True)) if schema["uniqueItems"] else TOP


def _required(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.conjunction(t.has(name) for name in schema["required"])


def _properties(t: Translator, schema: dict[str, Any]) -> Node:
    return t.object(
        *(nodes.EveryProperty(t.factory.strings([name]), t.child(item)) for name, item in schema["properties"].items())
    )


def _pattern_properties(t: Translator, schema: dict[str, Any]) -> Node:
    return t.object(
        *(nodes.EveryProperty(t.pattern(source), t.child(item)) for source, item in schema["patternProperties"].items())
    )


def _additional_properties(t: Translator, schema: dict[str, Any]) -> Node:
    return t.object(nodes.EveryProperty(t.additional(schema), t.child(schema["additionalProperties"])))


def _property_names(t: Translator, schema: dict[str, Any]) -> Node:
    return t.object(nodes.EveryProperty(t.factory.negation(t.node(schema["propertyNames"])), BOTTOM))


def _dependent_required(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.conjunction(
        t.factory.disjunction([t.lacks(name), t.factory.conjunction(t.has(other) for other in others)])
        for name, others in schema["dependentRequired"].items()
    )


def _dependent_schemas(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.conjunction(
        t.factory.disjunction([t.lacks(name), t.node(item)]) for name, item in schema["dependentSchemas"].items()
    )


def _all_of(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.conjunction(t.nodes_of(schema["allOf"]))


def _any_of(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.disjunction(t.nodes_of(schema["anyOf"]))


def _one_of(t: Translator, schema: dict[str, Any]) -> Node:
    branches = t.nodes_of(schema["oneOf"])
    if len(branches) > MAX_ONE_OF:
        return t.factory.opaque(f"`oneOf` of more than {MAX_ONE_OF} forms")
    refused = [t.factory.negation(branch) for branch in branches]
    outlines = [outline(branch) for branch in branches]
    pairs: list[Node] = []
    for right in range(len(branches)):
        t.tick()
        pairs += (
            t.factory.disjunction([refused[left], refused[right]])
            for left in range(right)
            if not disjoint(outlines[left], outlines[right])
        )
    return t.factory.conjunction([t.factory.disjunction(branches), *pairs])


def _not(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.negation(t.node(schema["not"]))


def _if(t: Translator, schema: dict[str, Any]) -> Node:
    condition = t.node(schema["if"])
    then, otherwise = t.node(schema.get("then", True)), t.node(schema.get("else", True))
    refused = t.factory.negation(condition)
    return t.factory.conjunction(
        [t.factory.disjunction([refused, then]), t.factory.disjunction([condition, otherwise])]
    )


def _ref(t: Translator, schema: dict[str, Any]) -> Node:
    return t.ref(schema["$ref"])


def _opaque(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.opaque(schema["$opaque"])


def _multiple_of(t: Translator, schema: dict[str, Any]) -> Node:
    return t.number(nodes.Multiple(exact(schema["multipleOf"]), True))


def _pattern(t: Translator, schema: dict[str, Any]) -> Node:
    return t.string(nodes.Pattern(schema["pattern"], True))


RULES: Mapping[str, Rule] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _bound("minimum", nodes.LowerBound, False),
    "exclusiveMinimum": _bound("exclusiveMinimum", nodes.LowerBound, True),
    "maximum": _bound("maximum", nodes.UpperBound, False),
    "exclusiveMaximum": _bound("exclusiveMaximum", nodes.UpperBound, True),
    "multipleOf": _multiple_of,
    "minLength": _size("minLength", STRING, nodes.MinSize),
    "maxLength": _size("maxLength", STRING, nodes.MaxSize),
    "pattern": _pattern,
    "minItems": _size("minItems", ARRAY, nodes.MinSize),
    "maxItems": _size("maxItems", ARRAY, nodes.MaxSize),
    "uniqueItems": _unique_items,
    "prefixItems": _prefix_items,
    "items": _items,
    "contains": _contains,
    "unevaluatedItems": unevaluated_items,
    "minProperties": _size("minProperties", OBJECT, nodes.MinSize),
    "maxProperties": _size("maxProperties", OBJECT, nodes.MaxSize),
    "required": _required,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "propertyNames": _property_names,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "unevaluatedProperties": unevaluated_properties,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "$ref": _ref,
    "$opaque": _opaque,
}

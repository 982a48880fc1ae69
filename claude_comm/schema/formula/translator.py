"""From a normal form to a formula, one function a keyword.

Law: the formula denotes exactly the values that the schema accepts; a keyword that speaks of one kind of value becomes
a literal that all other kinds satisfy, as JSON Schema has it. Formats are annotations and say nothing.

`oneOf` is "one at least" and, for each two branches, "not both": quadratic, and never exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import ANY_KIND, ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.formula.unevaluated import unevaluated_items, unevaluated_properties
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.values import exact, key, ordered
from claude_comm.schema.verdict import Json

# More branches than this in one `oneOf` would make half a million pairs.
MAX_ONE_OF = 300


class Translator:
    """One document in a factory of formulas. `prefix` keeps the definitions of the two sides apart."""

    def __init__(self, factory: FormulaFactory, document: Document, prefix: str, tick: Callable[[], None]) -> None:
        self.factory, self.prefix, self.tick = factory, prefix, tick
        self.definitions: Mapping[str, Json] = document.definitions
        # Draft 4: whether 1 may stand where 1.0 may not.
        self.lexical = document.lexical
        # Subschemas that stand for themselves until somebody looks inside, by their text.
        self.written: dict[str, Json] = {}
        self._done: dict[str, Node] = {}
        self._document = document

    def root(self) -> Node:
        if self._document.dynamic:
            return self.factory.opaque("a dynamic reference whose target depends on the path that led to it")
        return self.node(self._document.schema)

    def knows(self, name: str) -> bool:
        """Whether this side wrote what the name stands for."""
        return name in self.written or name.startswith(self.prefix)

    def definition(self, name: str) -> Node:
        """What `prefix + name` stands for."""
        if name not in self._done:
            schema = self.written[name] if name in self.written else self.definitions[name.removeprefix(self.prefix)]
            self._done[name] = self.node(schema)
        return self._done[name]

    def ref(self, reference: str) -> Node:
        return self.factory.ref(self.prefix + reference.removeprefix("#/$defs/"))

    def node(self, schema: Json) -> Node:
        if not isinstance(schema, dict):
            return TOP if schema else BOTTOM
        self.tick()
        return self.factory.conjunction([_RULES[keyword](self, schema) for keyword in schema if keyword in _RULES])

    def child(self, schema: Json) -> Node:
        """A subschema for another value than the one at hand: translated only when a proof gets there.

        What it says is named by its text, so that two sides that write the same share the node, and a proof never
        looks inside. Constants are translated at once: they tell the branches of a union apart.
        """
        if not isinstance(schema, dict) or _plain(schema):
            return self.node(schema)
        text = ordered(schema)
        if '"$ref"' in text or '"$opaque"' in text:
            text = self.prefix + text
        self.written.setdefault(text, schema)
        return self.factory.ref(text)

    def each(self, schemas: list[Json]) -> list[Node]:
        return [self.node(item) for item in schemas]

    def additional(self, schema: dict[str, Any]) -> Node:
        """The names, as a formula over strings, that `properties` and `patternProperties` leave over."""
        patterns = (self.pattern(source) for source in schema.get("patternProperties", ()))
        return self.factory.conjunction(
            [
                self.factory.strings(schema.get("properties", ()), holds=False),
                *(self.factory.negation(p) for p in patterns),
            ]
        )

    def pattern(self, source: str) -> Node:
        return self.factory.lit(STRING, nodes.Pattern(source, True), strict=True)

    def number(self, atom: nodes.Atom) -> Node:
        return self.factory.lit(NUMBER, atom)

    def string(self, atom: nodes.Atom) -> Node:
        return self.factory.lit(STRING, atom)

    def array(self, *atoms: nodes.Atom) -> Node:
        return self.factory.conjunction(self.factory.lit(ARRAY, atom) for atom in atoms)

    def object(self, *atoms: nodes.Atom) -> Node:
        return self.factory.conjunction(self.factory.lit(OBJECT, atom) for atom in atoms)

    def has(self, name: str) -> Node:
        """An object with that property, or no object."""
        return self.object(nodes.SomeProperty(self.factory.strings([name]), TOP))

    def lacks(self, name: str) -> Node:
        """An object without that property, or no object."""
        return self.object(nodes.EveryProperty(self.factory.strings([name]), BOTTOM))


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
    return t.factory.conjunction(t.each(schema["allOf"]))


def _any_of(t: Translator, schema: dict[str, Any]) -> Node:
    return t.factory.disjunction(t.each(schema["anyOf"]))


def _one_of(t: Translator, schema: dict[str, Any]) -> Node:
    branches = t.each(schema["oneOf"])
    if len(branches) > MAX_ONE_OF:
        return t.factory.opaque(f"`oneOf` of more than {MAX_ONE_OF} forms")
    refused = [t.factory.negation(branch) for branch in branches]
    outlines = [outline(t.factory, branch) for branch in branches]
    pairs = list[Node]()
    for right in range(len(branches)):
        t.tick()
        pairs += (
            t.factory.disjunction([refused[left], refused[right]])
            for left in range(right)
            if not apart(outlines[left], outlines[right])
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


Outline: TypeAlias = tuple[int, dict[str, list[nodes.Lit]]]


def apart(left: Outline, right: Outline) -> bool:
    """Whether two formulas share no value, as far as a glance shows: other kinds, or another value of one tag."""
    common = left[0] & right[0]
    if common != OBJECT:
        return not common
    return any(
        _disjoint(one, other) for name, tags in left[1].items() for one in tags for other in right[1].get(name, ())
    )


def _disjoint(left: nodes.Lit, right: nodes.Lit) -> bool:
    """Two literals of finite sets without a common member."""
    if left.kind != right.kind:
        return True
    match left.atom, right.atom:
        case nodes.StringEnum(values=a, holds=True), nodes.StringEnum(values=b, holds=True):
            return a.isdisjoint(b)
        case nodes.NumberEnum(values=x, holds=True), nodes.NumberEnum(values=y, holds=True):
            return x.isdisjoint(y)
        case nodes.BooleanEnum(values=u), nodes.BooleanEnum(values=v):
            return u.isdisjoint(v)
    return False


def outline(factory: FormulaFactory, node: Node) -> Outline:
    """The kinds that a formula lets through, and the literals of each property that it requires."""
    kinds, present, values = ANY_KIND, set[str](), dict[str, list[nodes.Lit]]()
    for part in node.parts if isinstance(node, nodes.And) else (node,):
        match part:
            case nodes.Kinds(kinds=bits):
                kinds &= bits
            case nodes.Lit(kind=kind, strict=True):
                kinds &= kind
        if isinstance(part, nodes.Lit) and isinstance(part.atom, nodes.EveryProperty | nodes.SomeProperty):
            name = single(part.atom.names)
            if name is None:
                continue
            if isinstance(part.atom, nodes.SomeProperty):
                present.add(name)
            inner = part.atom.node
            for each in inner.parts if isinstance(inner, nodes.And) else (inner,):
                if isinstance(each, nodes.Lit) and each.strict:
                    values.setdefault(name, []).append(each)
    return kinds, {name: values.get(name, []) for name in present}


def single(names: Node) -> str | None:
    """The one name that a formula over strings admits, where it is written as that."""
    if isinstance(names, nodes.Lit) and isinstance(names.atom, nodes.StringEnum) and names.atom.holds:
        return next(iter(names.atom.values)) if len(names.atom.values) == 1 else None
    return None


def _plain(schema: dict[str, Any]) -> bool:
    """A constant, a bare type or a bare reference: nothing is saved by translating it later."""
    if "$ref" in schema:
        return len(schema) == 1
    return "const" in schema or "enum" in schema or schema.keys() == {"type"}


_Rule = Callable[[Translator, dict[str, Any]], Node]
_RULES: dict[str, _Rule] = {
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

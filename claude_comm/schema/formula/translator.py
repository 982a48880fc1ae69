"""From a normal form to a formula: the walk over schemas, and the vocabulary that the rules of keywords write in.

Law: the formula denotes exactly the values that the schema accepts. What a keyword says is a rule's matter (see
`keyword_rules`), handed in; which subschemas are translated, and when, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.formula.nodes import ARRAY, NUMBER, OBJECT, STRING, Node
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.pointer import definition_name
from claude_comm.schema.values import ordered
from claude_comm.schema.verdict import Json

Rule: TypeAlias = "Callable[[Translator, dict[str, Any]], Node]"


class Translator:
    """One document in a factory of formulas. `prefix` keeps the definitions of the two sides apart."""

    def __init__(
        self,
        factory: FormulaFactory,
        document: Document,
        prefix: str,
        tick: Callable[[], None],
        rules: Mapping[str, Rule],
    ) -> None:
        self.factory, self.prefix, self.tick, self.rules = factory, prefix, tick, rules
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
        return self.factory.ref(self.prefix + definition_name(reference))

    def node(self, schema: Json) -> Node:
        if not isinstance(schema, dict):
            return TOP if schema else BOTTOM
        self.tick()
        return self.factory.conjunction(
            [self.rules[keyword](self, schema) for keyword in schema if keyword in self.rules]
        )

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

    def nodes_of(self, schemas: list[Json]) -> list[Node]:
        return [self.node(schema) for schema in schemas]

    def additional(self, schema: dict[str, Any]) -> Node:
        """The names, as a formula over strings, that `properties` and `patternProperties` leave over."""
        patterns = (self.pattern(source) for source in schema.get("patternProperties", ()))
        return self.factory.conjunction(
            [
                self.factory.strings(schema.get("properties", ()), holds=False),
                *(self.factory.negation(pattern) for pattern in patterns),
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


def _plain(schema: dict[str, Any]) -> bool:
    """A constant, a bare type or a bare reference: nothing is saved by translating it later."""
    if "$ref" in schema:
        return len(schema) == 1
    return "const" in schema or "enum" in schema or schema.keys() == {"type"}

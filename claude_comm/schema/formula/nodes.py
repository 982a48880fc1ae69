"""What a schema says, as a formula: `and`, `or` and atoms, with every negation pushed down to the atoms.

Law: a formula denotes a set of JSON values. Nodes are interned by their `FormulaFactory`: two nodes of one factory are
the same object exactly when they are written the same way, so that equality is identity. An atom speaks of one kind of
value; its literal also says what holds for the other kinds: everything (`strict=False`, as in "if it is a string,
then"), or nothing. The atoms are closed under negation: what JSON Schema says of all items, the negation says of some.

Nodes and atoms hold only what is older than they are, so no cycle of them is possible, and the collector of cycles is
told to pass them by (`gc=False`): a wide schema makes hundreds of thousands, and each look at all of them would stop
every thread of the caller for half a second.

References: negation normal form for JSON Schema and the finite set of atoms it needs are those of Attouche, Baazizi,
Colazzo, Ghelli, Sartiani and Scherzinger, "Witness Generation for JSON Schema", PVLDB 15(13), 2022.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

import msgspec

# A node refers to older ones alone, so there are no cycles for the collector to look for: hence `gc=False` below.
NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT = KINDS = (1, 2, 4, 8, 16, 32)
ANY_KIND = 63


class Node(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A formula. `uid` orders the nodes of a factory by age."""

    uid: int


class Top(Node, frozen=True, eq=False, gc=False):
    """Every value."""


class Bottom(Node, frozen=True, eq=False, gc=False):
    """No value."""


class And(Node, frozen=True, eq=False, gc=False):
    """The values in every part."""

    parts: tuple[Node, ...]


class Or(Node, frozen=True, eq=False, gc=False):
    """The values in some part."""

    parts: tuple[Node, ...]


class Not(Node, frozen=True, eq=False, gc=False):
    """The values that are not in a conjunction or disjunction: pushed down only where somebody looks inside."""

    node: Node


class Ref(Node, frozen=True, eq=False, gc=False):
    """What a schema says (`holds`), or its negation: unfolded when needed, and so may be recursive.

    `name` is that of a definition, or the text of a subschema: what both sides write alike is one node.
    """

    name: str
    holds: bool


class Kinds(Node, frozen=True, eq=False, gc=False):
    """The values of some kinds, as a set of bits."""

    kinds: int


class Lit(Node, frozen=True, eq=False, gc=False):
    """The values of `kind` for which `atom` holds, and all values of other kinds unless `strict`."""

    kind: int
    atom: Atom
    strict: bool


class Opaque(Node, frozen=True, eq=False, gc=False):
    """Nobody knows which values: one unknown predicate for each `token`, or its negation."""

    token: int
    reason: str
    holds: bool


class MinSize(msgspec.Struct, frozen=True, gc=False):
    """At least `count` characters, items or properties."""

    count: int


class MaxSize(msgspec.Struct, frozen=True, gc=False):
    """At most `count` characters, items or properties."""

    count: int


class LowerBound(msgspec.Struct, frozen=True, gc=False):
    """A number from `bound` on, or beyond it when `open`."""

    bound: Fraction
    open: bool


class UpperBound(msgspec.Struct, frozen=True, gc=False):
    """A number up to `bound`, or below it when `open`."""

    bound: Fraction
    open: bool


class Multiple(msgspec.Struct, frozen=True, gc=False):
    """A whole multiple of `of`, or not one."""

    of: Fraction
    holds: bool


class NumberEnum(msgspec.Struct, frozen=True, gc=False):
    """One of the numbers, or none of them."""

    values: frozenset[Fraction]
    holds: bool


class Lexical(msgspec.Struct, frozen=True, gc=False):
    """Written as an integer, without a fraction: what draft 4 calls an integer."""

    holds: bool


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """A string in which the regular expression is found, or is not."""

    source: str
    holds: bool


class StringEnum(msgspec.Struct, frozen=True, gc=False):
    """One of the strings, or none of them."""

    values: frozenset[str]
    holds: bool


class BooleanEnum(msgspec.Struct, frozen=True, gc=False):
    """One of the booleans."""

    values: frozenset[bool]


class Item(msgspec.Struct, frozen=True, gc=False):
    """If there is an item at `index`, it is of `node`."""

    index: int
    node: Node


class AtLeast(msgspec.Struct, frozen=True, gc=False):
    """At least `count` of the items from `start` on are of `node`."""

    start: int
    node: Node
    count: int


class AtMost(msgspec.Struct, frozen=True, gc=False):
    """At most `count` of the items from `start` on are of `node`; none: all of them are of its negation."""

    start: int
    node: Node
    count: int


class Distinct(msgspec.Struct, frozen=True, gc=False):
    """No two items are equal, or some two are."""

    holds: bool


class EveryProperty(msgspec.Struct, frozen=True, gc=False):
    """Every property whose name is in `names`, a formula over strings, has a value of `node`."""

    names: Node
    node: Node


class SomeProperty(msgspec.Struct, frozen=True, gc=False):
    """Some property whose name is in `names` has a value of `node`."""

    names: Node
    node: Node


class CompositeEnum(msgspec.Struct, frozen=True, gc=False):
    """One of these arrays, or one of these objects (as `values.Key`s)."""

    keys: frozenset[tuple[object, ...]]


Atom: TypeAlias = (
    MinSize
    | MaxSize
    | LowerBound
    | UpperBound
    | Multiple
    | NumberEnum
    | Lexical
    | Pattern
    | StringEnum
    | BooleanEnum
    | Item
    | AtLeast
    | AtMost
    | Distinct
    | EveryProperty
    | SomeProperty
    | CompositeEnum
)


def conjuncts(node: Node) -> tuple[Node, ...]:
    """The parts of a conjunction; any other node is its own only part."""
    return node.parts if isinstance(node, And) else (node,)


def possible_kinds(node: Node) -> int:
    """The kinds that a conjunction may have values of, as far as its own parts tell."""
    kinds = ANY_KIND
    for part in conjuncts(node):
        match part:
            case Kinds(kinds=bits):
                kinds &= bits
            case Lit(kind=kind, strict=True):
                kinds &= kind
    return kinds


def single_name(names: Node) -> str | None:
    """The one name that a formula over strings admits, where it is written as that."""
    if isinstance(names, Lit) and isinstance(names.atom, StringEnum) and names.atom.holds:
        return next(iter(names.atom.values)) if len(names.atom.values) == 1 else None
    return None

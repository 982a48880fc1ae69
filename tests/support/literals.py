"""Literals of one kind of value: put to a solver, and to every value of a short list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_comm.schema.budget import Budget
from claude_comm.schema.formula import nodes
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver.difference import SchemaPair


class Literals:
    """Those of one kind, in a question that asks for any value."""

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.question = SchemaPair(normalise(True, "draft2020-12"), normalise(True, "draft2020-12"), Budget(600_000))

    def literal(self, atom: nodes.Atom) -> nodes.Lit:
        return nodes.Lit(0, self.kind, atom, True)

    def holds(self, atoms: Sequence[nodes.Atom], value: Any) -> bool | None:
        factory = self.question.factory
        node = factory.conjunction(factory.lit(self.kind, atom, strict=True) for atom in atoms)
        return self.question.resolver.holds(node, value)

    def fitting(self, atoms: Sequence[nodes.Atom], values: Sequence[Any]) -> list[set[int]]:
        """For each atom, the places of the values that it takes."""
        return [{at for at, value in enumerate(values) if self.holds([atom], value)} for atom in atoms]

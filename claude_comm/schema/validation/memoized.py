"""Validation with a table of (subschema, value): for schemas that take other validators exponential time.

Law: exact, or None where the answer needs more steps than the budget has. It is a thousand times slower than
`jsonschema-rs` on ordinary schemas, and polynomial where `jsonschema-rs` is exponential.
"""

from __future__ import annotations

import math

from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.formula.factory import FormulaFactory
from claude_comm.schema.formula.keyword_rules import translator
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.regex.errors import InvalidPattern, LanguageError
from claude_comm.schema.regex.language import watching
from claude_comm.schema.solver.resolver import Resolver
from claude_comm.schema.verdict import Json

# In the milliseconds of a budget that counts steps: 200,000 of them, under a second.
BUDGET_MS = 5_000


def accepts(document: Document, value: Json) -> bool | None:
    """Whether the document allows `value`, which is JSON; None: an unknown decides, or it takes too long."""
    budget = Budget(BUDGET_MS)
    factory = FormulaFactory(budget.tick)
    side = translator(factory, document, "m:", budget.tick)
    resolver = Resolver(factory, [side], budget.tick)
    try:
        with watching(budget.tick):
            return resolver.holds(side.root(), value)
    except (OutOfBudget, RecursionError, InvalidPattern, LanguageError):
        return None


def is_json(value: Json) -> bool:
    """Whether a value is made of what JSON has."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if not all(isinstance(name, str) and _is_text(name) for name in item):
                return False
            stack += item.values()
        elif isinstance(item, list | tuple):
            stack += item
        elif isinstance(item, str):
            if not _is_text(item):
                return False
        elif isinstance(item, float):
            if not math.isfinite(item):
                return False
        elif item is not None and not isinstance(item, int):
            return False
    return True


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)

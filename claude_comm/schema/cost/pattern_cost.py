"""Which texts of a message the patterns of a schema are searched in, and whether each search ends soon.

Law: no validator is started on a message when one of its searches may take longer than the caller allows. A pattern is
measured by the texts that it meets (the strings at its places, the names of the objects there), and not by others.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator

from claude_comm.schema.cost import backtracking
from claude_comm.schema.cost.validation_cost import applied
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json

# Steps of one search by Python's `re`: about 0.1 s.
MAX_STEPS = 1_000_000
# Characters that `jsonschema-rs` may look at again and again for the look-around of one pattern: about 0.1 s.
MAX_LOOKAROUND = 50_000_000
_LOOKAROUND = re.compile(r"\(\?[=!<]|\\[1-9k]")


def scannable(document: Document, value: Json, tick: Callable[[], None]) -> bool:
    """Whether `jsonschema-rs` ends soon: it searches look-around anew from each character, uninterrupted."""
    return not has_lookaround(document) or searchable(document, value, tick, MAX_LOOKAROUND)


def has_lookaround(document: Document) -> bool:
    """Whether some pattern has look-around or back-references."""
    patterns = document.patterns
    return bool(patterns) and any(map(_looks_around, patterns))


@functools.lru_cache(maxsize=1024)
def _looks_around(source: str) -> bool:
    return _LOOKAROUND.search(source) is not None


def searchable(document: Document, value: Json, tick: Callable[[], None], limit: int = MAX_STEPS) -> bool:
    """Whether an engine that backtracks searches every pattern within `limit` steps in every text that it meets."""
    if not document.patterns:
        return True
    longest = max(map(len, _texts(value)), default=0)
    if all(backtracking.by_choices(source, longest) <= limit for source in document.patterns):
        return True
    for source, text in dict.fromkeys(_searches(document, value, tick)):
        tick()
        if backtracking.steps(source, text, limit) > limit:
            return False
    return True


def _searches(document: Document, value: Json, tick: Callable[[], None]) -> Iterator[tuple[str, str]]:
    """Each pattern with each text that it is searched in."""
    stack, seen = [(document.schema, value)], set[tuple[int, int]]()
    while stack:
        schema, item = stack.pop()
        if not isinstance(schema, dict) or (id(schema), id(item)) in seen:
            continue
        tick()
        seen.add((id(schema), id(item)))
        if "pattern" in schema and isinstance(item, str):
            yield schema["pattern"], item
        if "patternProperties" in schema and isinstance(item, dict):
            yield from ((source, name) for source in schema["patternProperties"] for name in item)
        stack += applied(document, schema, item)


def _texts(value: Json) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)

"""Where the fields that a step needs come from, and which of them nobody has.

Law: pure; a reading of the schemas at a glance (`shapes.fields`), for people: the verdict is the prover's.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import msgspec

from claude_comm.pipeline.document import START
from claude_comm.pipeline.graph import StepGraph
from claude_comm.pipeline.shapes import fields
from claude_comm.registry.contracts import Schema

# What a sentence calls the start of a pipeline.
INPUT = "the input"


class Missing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field that a step needs and is not given: which steps before have it, and which of them leave it out."""

    field: str
    sentence: str
    had_by: tuple[str, ...] = ()
    dropped_by: tuple[str, ...] = ()


def missing(
    graph: StepGraph, step: str, produced: Schema, accepted: Schema, leaving: Mapping[str, Schema | None]
) -> list[Missing]:
    """The fields that `accepted` requires and `produced` does not have, or not always. `leaving` is what each step
    returns, and what is put into the pipeline under `START`."""
    wanted, there = fields(accepted), fields(produced)
    found = []
    for name in sorted(wanted.required):
        if name in there.required:
            continue
        if name in there.properties:
            sentence = f"`{step}` needs `{name}`, which what it is given may be without."
            found.append(Missing(field=name, sentence=sentence))
        else:
            found.append(_absent(graph, step, name, produced, leaving))
    return found


def _absent(graph: StepGraph, step: str, name: str, produced: Schema, leaving: Mapping[str, Schema | None]) -> Missing:
    before = [*graph.before(step), START]
    had_by = [other for other in before if name in fields(leaving.get(other) or True).properties]
    if not had_by:
        near = difflib.get_close_matches(name, fields(produced).properties, 1, 0.5)
        hint = f" What it is given has `{near[0]}`." if near else ""
        others = " nor ".join(f"`{other}`" for other in reversed(before) if other != START)
        where = f"neither the input nor {others} has" if others else "the input has not"
        sentence = f"`{step}` needs `{name}`, which has no source: {where} such a field.{hint}"
        return Missing(field=name, sentence=sentence)
    dropped = _between(graph, had_by[0], step, name, leaving)
    who = INPUT if had_by[0] == START else f"`{had_by[0]}`"
    by = " and ".join(f"`{other}`" for other in dropped)
    sentence = f"`{step}` needs `{name}`: {who} has it, and {by} drop{'s' if len(dropped) == 1 else ''} it."
    return Missing(field=name, sentence=sentence, had_by=tuple(had_by), dropped_by=tuple(dropped))


def _between(
    graph: StepGraph, source: str, step: str, name: str, leaving: Mapping[str, Schema | None]
) -> Sequence[str]:
    """The steps from `source` to `step`, both left out, that return the field no more; the first of them first."""
    after_source = {other for other in graph.steps if source == START or source in graph.before(other)}
    way = [other for other in graph.before(step) if other in after_source]
    return [other for other in reversed(way) if name not in fields(leaving.get(other) or True).properties]

"""Mends of an edge that does not fit: what could be written into the document so that it does.

Law: a mend that is called proved was proved, and none is made unasked: those that need no guess (a declared alias or
default, a wider type, a value put into an array) are taken by the check itself; all others are words for a person. What
is proposed is written as it would stand in the document.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from claude_comm.pipeline.shapes import fields
from claude_comm.pipeline.sources import Missing
from claude_comm.pipeline.weighing import Ask
from claude_comm.registry.contracts import Schema
from claude_comm.schema.evolution.adapt import Proposal, adapt
from claude_comm.schema.evolution.adapter import Rename

# Other fields that are tried for one that is missing.
_TRIED = 4


class Mend(msgspec.Struct, frozen=True, kw_only=True):
    """What to write into the document: at which step, under which name, and what that does. `proved`: the edge fits
    then."""

    step: str
    name: str
    value: Any
    sentence: str
    proved: bool


def proposals(produced: Schema, accepted: Schema, aliases: Mapping[str, Sequence[str]], ask: Ask) -> Sequence[Proposal]:
    """Adapters of the edge, the best first."""
    return adapt(produced, accepted, aliases=aliases, policy=ask.policy, budget_ms=ask.budget_ms, clock=ask.clock)


def mends(
    step: str,
    produced: Schema,
    accepted: Schema,
    aliases: Mapping[str, Sequence[str]],
    lacking: Sequence[Missing],
    found: Sequence[Proposal],
    ask: Ask,
) -> list[Mend]:
    """What would make the edge to `step` fit: what is proved first, then what has to be checked again."""
    carried = [_carrying(missing, dropping) for missing in lacking for dropping in missing.dropped_by]
    proved = next((proposal for proposal in found if proposal.proved), None)
    # A field that a step before has had is to be carried here, and nothing else is taken for it.
    guesses = () if proved or carried else _supposed(produced, accepted, lacking)
    for supposed in guesses:
        more = proposals(produced, accepted, {**aliases, **supposed}, ask)
        proved = next((proposal for proposal in more if proposal.proved), None)
        if proved is not None:
            break
    return [*([_written(step, produced, accepted, aliases, proved, ask)] if proved else []), *carried]


def _written(
    step: str,
    produced: Schema,
    accepted: Schema,
    aliases: Mapping[str, Sequence[str]],
    proposal: Proposal,
    ask: Ask,
) -> Mend:
    """A proved proposal as it would stand in the document: as aliases, where nothing else in it is a guess."""
    said = {step.to: [step.name] for step in proposal.adapter.steps if isinstance(step, Rename) and not step.at}
    sentence = "; ".join(proposal.sentences)
    if said and any(again.applicable for again in proposals(produced, accepted, {**aliases, **said}, ask)):
        return Mend(step=step, name="aliases", value=said, sentence=sentence, proved=True)
    value = msgspec.to_builtins(proposal.adapter.steps)
    return Mend(step=step, name="adapter", value=value, sentence=sentence, proved=True)


def _carrying(missing: Missing, dropping: str) -> Mend:
    return Mend(
        step=dropping,
        name="carry",
        value=[missing.field],
        sentence=f"`{missing.field}` is put beside what `{dropping}` returns",
        proved=False,
    )


def _supposed(produced: Schema, accepted: Schema, lacking: Sequence[Missing]) -> Iterator[dict[str, list[str]]]:
    """For the fields that are missing, those of the producer that may be meant by them, the most alike first."""
    wanted = fields(accepted).properties
    free = [name for name in fields(produced).properties if name not in wanted]
    if len(free) < len(lacking):
        return
    supposed: dict[str, list[str]] = {}
    for missing in lacking:
        alike = sorted((name for name in free if [name] not in supposed.values()), key=_unlike(missing.field))
        supposed[missing.field] = alike[:1]
    if supposed:
        yield supposed
    if len(lacking) == 1:
        (field,) = supposed
        yield from ({field: [name]} for name in sorted(free, key=_unlike(field))[1:_TRIED])


def _unlike(field: str) -> Callable[[str], float]:
    return lambda name: -difflib.SequenceMatcher(None, name, field).ratio()

"""What changed between two versions of a contract, and whom each change leaves alone.

Law: a change is called safe only from proofs, by `check` in both directions on the place that it changes; there is no
list of rules about keywords. What could not be decided counts as not safe, and its verdict says so.

Safe for producers: whoever sends by the old version may go on, for the new version accepts all of it. Safe for
consumers: whoever reads by the old version may go on, for it accepts all that is sent by the new one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from claude_comm.schema.containment.check import check
from claude_comm.schema.containment.confirm import compile_side
from claude_comm.schema.deadline import within
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.evolution.compare import Origins, SchemaEdit, differences
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.verdict import Compatible, Incompatible, Json, Policy, Undecided, Verdict, contained

SafeFor: TypeAlias = Literal["both", "producers", "consumers", "neither"]

# More changes than this are another contract; the verdicts on the whole still stand.
MAX_CHANGES = 200


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change: where in the message, where in the new schema, which keyword, in words, and both verdicts.

    The verdicts are on this change alone, as if it were the only one, so a witness in them shows only this place.
    """

    path: str
    schema_path: str
    rule: str
    sentence: str
    for_producers: Verdict
    for_consumers: Verdict

    @property
    def safe_for(self) -> SafeFor:
        # A place may have no value, or be left without one: a message does without it.
        return _safe_for(contained(self.for_producers), contained(self.for_consumers))


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """All changes, and the verdicts on both versions as a whole."""

    changes: tuple[Change, ...]
    for_producers: Verdict
    for_consumers: Verdict

    @property
    def safe_for(self) -> SafeFor:
        return _safe_for(isinstance(self.for_producers, Compatible), isinstance(self.for_consumers, Compatible))


def diff(
    old: Json,
    new: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    clock: Callable[[], float] | None = None,
) -> Difference:
    """What changed from `old` to `new`; annotations (titles, descriptions, defaults) are no changes.

    `budget_ms` bounds all checks together by `clock` (in seconds), else each by counted work; every change takes two.
    Where a schema holds what the normal form cannot say (draft 4 integers, references without one target) only the
    whole is judged, as one change. Raises `SchemaError`.
    """

    ask = within(budget_ms, clock)

    def judged(before: Json, after: Json, dialect: Dialect = DEFAULT) -> tuple[Verdict, Verdict]:
        def verdict(sent: Json, read: Json) -> Verdict:
            return ask(lambda ms: check(sent, read, policy=policy, budget_ms=ms, default_dialect=dialect, clock=clock))

        return verdict(before, after), verdict(after, before)

    for_producers, for_consumers = judged(old, new, default_dialect)
    if isinstance(for_producers, Undecided):
        # It may have ended before both schemas were looked at.
        for schema in (old, new):
            compile_side(schema, dialect_of(schema, default_dialect))
    left, right = (normalise(schema, dialect_of(schema, default_dialect)) for schema in (old, new))
    changes: list[Change] = []
    if left.opaque or left.lexical or right.opaque or right.lexical:
        if old != new:
            edit = SchemaEdit("$", "", "", "the schema changed, and is judged as a whole", old, new)
            changes.append(_change(edit, for_producers, for_consumers))
    else:
        places = itertools.islice(differences(left, right), MAX_CHANGES)
        origins = Origins(left, right)
        verdicts = ((edit, judged(edit.before, edit.after)) for edit in places)
        changes = [_change(edit, *(_placed(verdict, origins) for verdict in both)) for edit, both in verdicts]
    return Difference(changes=tuple(changes), for_producers=for_producers, for_consumers=for_consumers)


def _placed(verdict: Verdict, origins: Origins) -> Verdict:
    """A verdict on one change, with its places in the schemas that were compared."""
    if isinstance(verdict, Undecided):
        return msgspec.structs.replace(verdict, place=origins.in_pointer(verdict.place))
    if not isinstance(verdict, Incompatible):
        return verdict
    reasons = [
        msgspec.structs.replace(reason, schema_path=origins.in_pointer(reason.schema_path))
        for reason in verdict.reasons
    ]
    return msgspec.structs.replace(verdict, reasons=tuple(reasons))


def _change(edit: SchemaEdit, for_producers: Verdict, for_consumers: Verdict) -> Change:
    return Change(
        path=edit.path,
        schema_path=edit.schema_path,
        rule=edit.rule,
        sentence=edit.sentence,
        for_producers=for_producers,
        for_consumers=for_consumers,
    )


def _safe_for(producers: bool, consumers: bool) -> SafeFor:
    if producers and consumers:
        return "both"
    return "producers" if producers else "consumers" if consumers else "neither"

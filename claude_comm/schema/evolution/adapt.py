"""Proposals that make two schemas fit: adapters, each with the proof that what comes out is accepted.

Law: a proposal says that it is proved only when `check` proved that the image of the producer's schema under the
adapter fits the consumer's. How the steps were thought of is guesswork and need not be right; a step that would change
what a message means (a rename by likeness, a conversion that may lose) makes the whole proposal a guess, which nobody
may apply unasked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import msgspec

from claude_comm.schema.containment.check import check
from claude_comm.schema.deadline import within
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.evolution.adapter import Adapter, apply
from claude_comm.schema.evolution.candidate_steps import CandidateStep, StepKind, candidate_steps
from claude_comm.schema.evolution.image import image
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import well_formed
from claude_comm.schema.verdict import Compatible, Json, Policy, Undecided, Verdict

__all__ = ["Adapter", "Proposal", "adapt", "apply"]

# An adapter of more steps is a rewrite that a person should write.
MAX_STEPS = 24


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter, step by step in words, and the verdict about what comes out of it.

    `kind` is "guess" as soon as one step is. `verdict` is `Compatible` where the result is proved to be accepted.
    """

    adapter: Adapter
    kind: StepKind
    sentences: tuple[str, ...]
    verdict: Verdict

    @property
    def proved(self) -> bool:
        return isinstance(self.verdict, Compatible)

    @property
    def applicable(self) -> bool:
        """Whether a program may apply it on its own."""
        return self.proved and self.kind == "safe"


def adapt(
    produced: Json,
    accepted: Json,
    *,
    aliases: Mapping[str, Sequence[str]] | None = None,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    clock: Callable[[], float] | None = None,
    unadapted: Verdict | None = None,
) -> tuple[Proposal, ...]:
    """Adapters from `produced` to `accepted`, the best first: safe and proved, then guessed and proved.

    `aliases` maps a name of the consumer to other names that its contract declares for the same property. `budget_ms`
    bounds all checks together by `clock` (in seconds), else each by counted work. Schemas that fit already give one
    proposal without steps. `unadapted` is the verdict on the pair, where that is known. When nothing is proved, the
    nearest attempt is given with its verdict. Raises `SchemaError` for an unusable schema.
    """

    ask = within(budget_ms, clock)

    def judge(sent: Json, policy: Policy) -> Verdict:
        return ask(
            lambda ms: check(sent, accepted, policy=policy, budget_ms=ms, default_dialect=default_dialect, clock=clock)
        )

    # The check of the pair as it is also refuses what is no schema, before anything else looks at it.
    unadapted = unadapted or judge(produced, policy)
    if isinstance(unadapted, Undecided):
        # It may have ended before the schemas were looked at.
        for schema in (produced, accepted):
            well_formed(schema, default_dialect=default_dialect)
    document = normalise(produced, dialect_of(produced, default_dialect))
    closed = close(document) if policy == "closed-producer" else document
    # Closed already, and the image may have declared more: it is taken as it is.
    prover = _Prover(closed, unadapted, lambda sent: judge(sent, "strict"))
    candidates = list(itertools.islice(candidate_steps(produced, accepted, aliases or {}), MAX_STEPS))
    safe = [idea for idea in candidates if idea.kind == "safe"]
    attempts = [[], safe, candidates]
    proposals: list[Proposal] = []
    for attempt in attempts:
        verdict = prover.verdict(attempt)
        if isinstance(verdict, Compatible):
            needed = prover.needed(attempt)
            proposals.append(_proposal(needed, prover.verdict(needed)))
            if proposals[-1].kind == "safe":
                break
        elif attempt is candidates and candidates and not proposals:
            proposals.append(_proposal(attempt, verdict))
    return tuple(proposals)


def _proposal(steps: Sequence[CandidateStep], verdict: Verdict) -> Proposal:
    kind: StepKind = "guess" if any(idea.kind == "guess" for idea in steps) else "safe"
    adapter = Adapter(tuple(idea.step for idea in steps))
    return Proposal(adapter=adapter, kind=kind, sentences=tuple(idea.sentence for idea in steps), verdict=verdict)


class _Prover:
    """Proves the outcome of steps against one consumer."""

    def __init__(self, document: Document, unadapted: Verdict, judge: Callable[[Json], Verdict]) -> None:
        self.document, self.unadapted, self.judge = document, unadapted, judge

    def verdict(self, steps: Sequence[CandidateStep]) -> Verdict:
        if not steps:
            return self.unadapted
        out = image(self.document, Adapter(tuple(idea.step for idea in steps)))
        if out is None:
            return Undecided(place="", why="the producer's schema holds a reference or a number that has no image.")
        return self.judge(out)

    def needed(self, steps: Sequence[CandidateStep]) -> list[CandidateStep]:
        """The steps without those that the proof does without."""
        left = list(steps)
        for idea in steps:
            fewer = [other for other in left if other is not idea]
            if isinstance(self.verdict(fewer), Compatible):
                left = fewer
        return left

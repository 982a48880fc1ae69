"""Weighing a question: a proof that every message fits, else an adapter that needs no guess, with the proof about what
comes out of it, else a refusal with every reason and what would mend it.

Law: pure but for the engine's clock. An adapter is only ever given where it is proved and every step of it is declared
or keeps the meaning; what is a guess is a proposal.
"""

from __future__ import annotations

from claude_comm.negotiation.agreement import Answer, Proposed, Question
from claude_comm.schema.bounded import adapt, check
from claude_comm.schema.evolution.adapt import Proposal
from claude_comm.schema.verdict import Impossible, passes

# Proposals that a refusal carries.
_MOST = 3


def weigh(question: Question) -> Answer:
    """Raises SchemaError for a schema that cannot be used."""
    verdict = check(question.produced, question.accepted, policy=question.policy, name_empty_forms=True)
    if passes(verdict) or isinstance(verdict, Impossible):
        return Answer(verdict=verdict)
    proposals = adapt(
        question.produced, question.accepted, aliases=question.aliases, policy=question.policy, unadapted=verdict
    )
    chosen = next((proposal for proposal in proposals if proposal.applicable and proposal.adapter.steps), None)
    if chosen is not None and passes(chosen.verdict):
        return Answer(verdict=chosen.verdict, adapter=chosen.adapter, steps=chosen.sentences, unadapted=verdict)
    return Answer(verdict=verdict, proposals=tuple(map(_proposed, proposals[:_MOST])))


def _proposed(proposal: Proposal) -> Proposed:
    return Proposed(adapter=proposal.adapter, sentences=proposal.sentences, proved=proposal.proved)

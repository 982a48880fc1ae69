"""From proofs and evidence to effects: what a new contract means for each partner and type.

Law: pure but for the engine's clock. What is there counts more than what is declared: messages that are refused break,
though a proof may say that none can be sent. What nobody has declared is proved by the contract before: who kept to it
keeps to the new one, where that accepts all that it accepted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from claude_comm.impact.effects import ANYONE, Direction, Effect, Status
from claude_comm.impact.replay import Evidence
from claude_comm.negotiation.agreement import Answer, Question, why
from claude_comm.negotiation.weigh import weigh
from claude_comm.registry.contracts import Contract
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Incompatible, Undecided, Verdict, contained, passes

_NONE = Evidence()


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A partner by its contract or its agreement: `question` has the new contract on the module's side. None: the
    module does not send that any more."""

    partner: str
    type: str
    direction: Direction
    version: str = ""
    agreement: str = ""
    question: Question | None


class Answered(msgspec.Struct, frozen=True):
    """A partner, and what was found out."""

    declared: Declared
    answer: Answer | None


def answers(declared: Sequence[Declared]) -> list[Answered]:
    """Each question weighed once."""
    known: dict[bytes, Answer] = {}
    answered = []
    for partner in declared:
        if partner.question is None:
            answered.append(Answered(partner, None))
            continue
        question = partner.question
        parts = (question.produced, question.accepted, question.policy, question.aliases)
        key = msgspec.json.encode(parts, order="deterministic")
        if key not in known:
            known[key] = weigh(question)
        answered.append(Answered(partner, known[key]))
    return answered


def effects(
    answered: Sequence[Answered], evidence: Mapping[tuple[str, str], Evidence], new: Contract, old: Contract | None
) -> Iterator[Effect]:
    """Of partners that are declared, of senders that are not, and of what anybody may send."""
    senders = set()
    for partner in answered:
        declared = partner.declared
        met = _NONE
        if declared.direction == "receives":
            senders.add((declared.partner, declared.type))
            met = evidence.get((declared.partner, declared.type), _NONE)
        yield _of_partner(partner, met)
    if old is not None:
        yield from _undeclared(sorted(set(evidence) - senders), evidence, new, old, {type for _, type in senders})
        yield from _answers(new, old)


def _of_partner(partner: Answered, met: Evidence) -> Effect:
    declared, answer = partner.declared, partner.answer
    common = Effect(
        partner=declared.partner,
        direction=declared.direction,
        type=declared.type,
        version=declared.version,
        agreement=declared.agreement,
        status="safe",
        why="the new contract does not declare it.",
    )
    if answer is None:
        return common
    status, words = _judged(answer, met, declared.direction)
    return msgspec.structs.replace(
        _with_verdict(_with_evidence(common, met), answer.verdict), status=status, why=words, adapter=list(answer.steps)
    )


def _judged(answer: Answer, met: Evidence, direction: Direction) -> tuple[Status, str]:
    verdict = answer.verdict
    if met.refused:
        return "broken", f"{met.refused:,} message(s) that are there would be refused."
    if passes(verdict):
        if answer.adapter is not None:
            return "adapted", "every message fits after an adapter, proved."
        return "safe", "every message fits, proved."
    if not isinstance(verdict, Incompatible):
        return "undecided", why(verdict)
    if direction != "receives" or not (met.messages or met.unknown):
        return "broken", why(verdict)
    if met.unknown:
        return "undecided", f"{met.unknown:,} message(s) could not be looked at, and {why(verdict)}"
    return "theoretical", f"it can break, and has not in {met.messages:,} message(s): {why(verdict)}"


def _undeclared(
    met: Sequence[tuple[str, str]],
    evidence: Mapping[tuple[str, str], Evidence],
    new: Contract,
    old: Contract,
    known: set[str],
) -> Iterator[Effect]:
    """Senders without an agreement, and types of which no sender is known."""
    verdicts = {
        type: check(schema, new.accepts.get(type, False), policy="strict") for type, schema in old.accepts.items()
    }
    for source, type in met:
        of = evidence[source, type]
        if of.messages or of.unknown:
            yield _unagreed(source, type, of, verdicts.get(type))
    for type in sorted(old.accepts.keys() - known - {type for _, type in met}):
        yield _unagreed(ANYONE, type, _NONE, verdicts[type])


def _unagreed(source: str, type: str, met: Evidence, verdict: Verdict | None) -> Effect:
    status, words = _judged_alone(met, verdict)
    effect = Effect(partner=source, direction="receives", type=type, status=status, why=words)
    effect = _with_evidence(effect, met)
    return effect if verdict is None or status == "safe" else _with_verdict(effect, verdict)


def _judged_alone(met: Evidence, verdict: Verdict | None) -> tuple[Status, str]:
    """Of a sender that has agreed on nothing; `verdict` is about what the version before accepted."""
    if met.refused:
        return "broken", f"{met.refused:,} message(s) that are there would be refused."
    if verdict is not None and contained(verdict):
        return "safe", "what the version before accepted is accepted, proved."
    if met.messages or met.unknown:
        return "undecided", f"it has declared nothing; {met.messages:,} of its messages fit."
    return "undecided", "nobody is known to send it, and not all that was accepted is accepted."


def _answers(new: Contract, old: Contract) -> Iterator[Effect]:
    """What is answered is some of what was answered before: whoever asks was made for that."""
    for type, expected in old.replies.items():
        if type not in new.accepts:
            continue
        verdict = check(new.replies.get(type, True), expected)
        status: Status = "safe" if contained(verdict) else "undecided" if isinstance(verdict, Undecided) else "broken"
        words = "what is answered was answered before, proved." if status == "safe" else why(verdict)
        effect = Effect(partner=ANYONE, direction="answers", type=type, status=status, why=words)
        yield effect if status == "safe" else _with_verdict(effect, verdict)


def _with_evidence(effect: Effect, met: Evidence) -> Effect:
    return msgspec.structs.replace(
        effect,
        messages=met.messages,
        failing=sorted(met.failing.values(), key=lambda message: message.id),
        unnamed=met.unnamed,
        refused_before=met.refused_before,
        unknown=met.unknown,
    )


def _with_verdict(effect: Effect, verdict: Verdict) -> Effect:
    if not isinstance(verdict, Incompatible):
        return effect
    reasons = [f"{reason.sentence} (at {reason.path})." for reason in verdict.reasons[:3]]
    return msgspec.structs.replace(effect, witness=verdict.witness, reasons=reasons)


def sentence(module: str, version: str, status: Status, count: int, partners: int) -> str:
    """The answer in one line."""
    words = {
        "broken": f"would break {count:,} of {partners:,} ways",
        "undecided": f"could not be decided for {count:,} of {partners:,} ways",
        "theoretical": f"can break {count:,} of {partners:,} ways, and no message that is known does",
        "adapted": f"fits, {count:,} of {partners:,} ways by an adapter",
        "safe": "fits, proved for all that is known",
    }
    return f"{module} {version} {words[status]}."

"""The command `schema explain`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import msgspec

from claude_comm.cli import schema_files, verdicts
from claude_comm.cli.options import (
    DEFAULT_BUDGET_MS,
    AcceptedFile,
    AsJson,
    BudgetMs,
    Documents,
    ProducedFile,
    Strict,
    policy,
)
from claude_comm.escaping import clean
from claude_comm.schema.bounded import check
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.explanation import empty_form_sentence
from claude_comm.schema.verdict import (
    Compatible,
    EmptyForm,
    Impossible,
    Incompatible,
    Json,
    Reason,
    Undecided,
    Verdict,
)
from claude_comm.terminal.output import emit, emit_document, emit_json, emit_styled, shorten
from claude_comm.terminal.styles import FAILED, GOOD, OPEN

_STYLES = {"compatible": GOOD, "incompatible": FAILED, "impossible": FAILED, "undecided": OPEN}
_POLICIES = {
    "closed-producer": "closed-producer: the producer sends only the properties that its schema declares",
    "strict": "strict: every message that the one schema allows, also with properties that it does not declare",
}
# How a verdict was proved, in words for readers who do not know the engine.
_PROOFS = {
    "keyword by keyword": "each keyword of the consumer follows from one of the producer at the same place",
    "canonical forms": "both schemas in canonical form, where the one covers the other",
    "no message in the difference": "a search for a message that the one allows and the other refuses; there is none",
    "every message looked at": "the producer's schema lists its messages, and each of them is accepted",
}
_FRAGMENT_CHARACTERS = 200


def command(
    produced: ProducedFile,
    accepted: AcceptedFile,
    strict: Strict = False,
    budget: BudgetMs = DEFAULT_BUDGET_MS,
    referenced: Documents = None,
    as_json: AsJson = False,
) -> int:
    """Give the verdict on two schemas in full, for a person.

    It shows every reason with its path in the message and in the schema, what the schema says there, and a fix for each
    side; and the message that proves it. If the verdict is undecided, it shows where and why. The exit codes are those
    of `claude-comm check`.
    """
    sent, taken = schema_files.read_pair(produced, accepted, referenced)
    begun = time.perf_counter()
    verdict = check(sent, taken, policy=policy(strict), budget_ms=budget, name_empty_forms=True)
    facts = {"policy": policy(strict), "dialects": [dialect_of(sent), dialect_of(taken)]}
    if as_json:
        emit_json({**facts, "elapsed_ms": round((time.perf_counter() - begun) * 1000, 3), "verdict": verdict})
    else:
        _show(verdict, _POLICIES[policy(strict)], taken)
    return verdicts.exit_code(verdict)


def _show(verdict: Verdict, meaning: str, accepted: Json) -> None:
    emit_styled(verdict.answer, _STYLES[verdict.answer])
    emit(f"policy   {meaning}")
    match verdict:
        case Impossible(why=why) | Compatible(vacuous=why) if why:
            emit(clean(f"why      {why}"))
            emit("so       a gate treats it as no: an agreement would be with a producer that never speaks")
        case Compatible(proof=proof, empty_forms=forms):
            emit(f"proof    {_PROOFS.get(proof, proof)}")
            _show_forms(forms)
        case Undecided(place=place, why=why):
            emit(clean(f"place    {place or 'the whole'}"))
            emit(clean(f"why      {why}"))
            emit("so       a gate treats it as no; where time ran out, a larger --budget may settle it")
        case Incompatible(witness=witness, reasons=reasons, refuses_all=why, empty_forms=forms):
            if why:
                emit(clean(f"why      {why}"))
            emit("\nThe producer may send this message, and the consumer refuses it:\n")
            emit_document(witness)
            emit("\nReasons, also those that only other messages show:")
            for number, reason in enumerate(reasons, 1):
                emit("")
                emit_styled(clean(f"{number}. {reason.sentence}"), "bold")
                for line in _lines(reason, accepted):
                    emit(clean(f"   {line}"))
            _show_forms(forms)


def _show_forms(forms: Sequence[EmptyForm]) -> None:
    for form in forms:
        emit(clean(empty_form_sentence(form)))


def _lines(reason: Reason, accepted: Json) -> Iterator[str]:
    yield f"in the message   {reason.path}"
    yield f"in the schema    {reason.schema_path or '/'}"
    if (said := _said(accepted, reason.schema_path)) is not None:
        yield f"which says       {reason.rule}: {shorten(said, _FRAGMENT_CHARACTERS)}"
    for mend in reason.mends:
        yield f"fix              {mend}"


def _said(schema: Json, pointer: str) -> str | None:
    """What stands at a JSON Pointer, as JSON; None where it leads through a reference."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and name in schema:
            schema = schema[name]
        elif isinstance(schema, list) and name.isdigit() and int(name) < len(schema):
            schema = schema[int(name)]
        else:
            return None
    return msgspec.json.encode(schema).decode()

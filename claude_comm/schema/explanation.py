"""A verdict in words.

Law: everything in the verdict is printed, nothing is added; the first line is the answer, and each reason is a line
with its mends below it. Text from messages is printed as JSON, so that control characters are escaped.
"""

from __future__ import annotations

import json
from typing import assert_never

from claude_comm.schema.verdict import Compatible, EmptyForm, Impossible, Incompatible, Reason, Undecided, Verdict


def explain(verdict: Verdict) -> str:
    """A few lines for a person, without a trailing newline."""
    match verdict:
        case Compatible(vacuous=why) if why:
            return f"compatible, and only because {why}."
        case Compatible(proof=proof, empty_forms=forms):
            first = "compatible: every message of the producer is accepted" + (f" (proof: {proof})." if proof else ".")
            return "\n".join([first, *map(empty_form_sentence, forms)])
        case Incompatible(witness=witness, reasons=reasons, refuses_all=why, empty_forms=forms):
            whatever = f", whatever is sent: {why}. For example" if why else ""
            lines = [
                f"incompatible{whatever}: the producer may send",
                "",
                f"    {json.dumps(witness, ensure_ascii=True)}",
                "",
            ]
            return "\n".join(
                [
                    *lines,
                    "which the consumer refuses.",
                    *(line for reason in reasons for line in _lines(reason)),
                    *map(empty_form_sentence, forms),
                ]
            )
        case Impossible(why=why):
            return f"impossible: {why}."
        case Undecided(place=place, why=why):
            return f"undecided: {why}" + (f" (at {place})" if place else "")
        case _:
            assert_never(verdict)


def empty_form_sentence(form: EmptyForm) -> str:
    """That a form of a union can never be, in one line."""
    who = "producer sends" if form.side == "produced" else "consumer takes"
    return f"note: the {who} no message of the form {form.schema_path}: {form.why}."


def _lines(reason: Reason) -> list[str]:
    where = f"  {reason.path}: {reason.sentence} ({reason.schema_path or '/'})"
    return [where, *(f"      {mend}" for mend in reason.mends)]

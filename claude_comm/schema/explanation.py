"""A verdict in words.

Law: everything in the verdict is printed, nothing is added; the first line is the answer, and each reason is a line
with its mends below it. Text from messages is printed as JSON, so that control characters are escaped.
"""

from __future__ import annotations

import json

from claude_comm.schema.verdict import Compatible, Impossible, Incompatible, Reason, Undecided, Verdict


def explain(verdict: Verdict) -> str:
    """A few lines for a person, without a trailing newline."""
    match verdict:
        case Compatible(vacuous=why) if why:
            return f"compatible, and only because {why}."
        case Compatible(proof=proof):
            return "compatible: every message of the producer is accepted" + (f" (proof: {proof})." if proof else ".")
        case Incompatible(witness=witness, reasons=reasons, refuses_all=why):
            whatever = f", whatever is sent: {why}. For example" if why else ""
            lines = [
                f"incompatible{whatever}: the producer may send",
                "",
                f"    {json.dumps(witness, ensure_ascii=True)}",
                "",
            ]
            return "\n".join(
                [*lines, "which the consumer refuses.", *(line for reason in reasons for line in _lines(reason))]
            )
        case Impossible(why=why):
            return f"impossible: {why}."
        case Undecided(place=place, why=why):
            return f"undecided: {why}" + (f" (at {place})" if place else "")


def _lines(reason: Reason) -> list[str]:
    where = f"  {reason.path}: {reason.sentence} ({reason.schema_path or '/'})"
    return [where, *(f"      {mend}" for mend in reason.mends)]

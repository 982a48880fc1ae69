"""A verdict as lines for a person, as a JSON object and as an exit code."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from claude_comm.schema.verdict import Compatible, Incompatible, Verdict

EXIT_CODES = {"compatible": 0, "incompatible": 1, "undecided": 4}
# A witness is minimal as a rule; one that is not would fill the screen.
MAX_WITNESS_CHARACTERS = 2_000


def lines(verdict: Verdict) -> list[str]:
    """The answer, then what stands behind it, indented."""
    if isinstance(verdict, Compatible):
        return ["compatible" + (f" (proved by {verdict.proof})" if verdict.proof else "")]
    if isinstance(verdict, Incompatible):
        shown = ["incompatible", f"  witness: {_json(verdict.witness)}"]
        for reason in verdict.reasons:
            shown.append(f"  {reason.path}: {reason.sentence} (at {reason.schema_path or 'the root'} of the schema)")
            shown += [f"    mend: {mend}" for mend in reason.mends]
        return shown
    return ["undecided", f"  at {verdict.place or 'the root'} of the schema: {verdict.why}"]


def _json(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_WITNESS_CHARACTERS else text[: MAX_WITNESS_CHARACTERS - 1] + "…"


def worst(answers: Iterable[str]) -> int:
    """The exit code of several answers: one "no" decides, then one "undecided"."""
    found = set(answers)
    return next((EXIT_CODES[answer] for answer in ("incompatible", "undecided") if answer in found), 0)

"""Verdicts as lines for a person and as exit codes."""

from __future__ import annotations

from collections.abc import Iterable

from claude_comm.escaping import clean
from claude_comm.schema.explanation import explain
from claude_comm.schema.verdict import Verdict, at_a_gate
from claude_comm.terminal.output import emit, emit_styled
from claude_comm.terminal.styles import style_of

EXIT_CODES = {"compatible": 0, "incompatible": 1, "impossible": 1, "undecided": 4}


def show(verdict: Verdict, title: str = "") -> None:
    """The answer, then its grounds; with a title before the first line, the rest is indented below it."""
    first, *more = [line for line in explain(verdict).splitlines() if line]
    emit_styled(clean(f"{title}: {first}" if title else first), style_of("verdict", verdict.answer))
    for line in more:
        emit(clean(f"  {line}" if title else line))


def exit_code(verdict: Verdict) -> int:
    """0 for what a gate lets through."""
    return EXIT_CODES[at_a_gate(verdict)]


def worst(answers: Iterable[str]) -> int:
    """The exit code of several answers: one "no" decides, then one "undecided"."""
    given = set(answers)
    return next((EXIT_CODES[answer] for answer in ("incompatible", "impossible", "undecided") if answer in given), 0)

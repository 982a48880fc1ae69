"""How a value is shown to a person, by what it says: on a light terminal as on a dark one."""

from __future__ import annotations

FAILED, OPEN, GOOD, QUIET = "bold red", "bold magenta", "bold green", "dim"
_FAILURES = (
    "failed",
    "buried",
    "incompatible",
    "impossible",
    "unreadable",
    "not running",
    "died",
    "missing",
    "gone",
    "broken",
)
_OPEN = ("retrying", "undecided", "theoretical", "pending", "late")
_OUTCOMES = {**dict.fromkeys((*_FAILURES, "gone"), FAILED), **dict.fromkeys(_OPEN, OPEN)}


def style_of(name: str, value: str) -> str:
    """The style of a value of this name: an outcome by what it is, the reason of a failure like one."""
    if name in ("status", "verdict", "state"):
        return _OUTCOMES.get(value, "")
    return "red" if name in ("reason", "refused because") and value not in ("", "-") else ""

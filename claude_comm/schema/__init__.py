"""The schema algebra: can every message that one module sends be accepted by another?

This is the front door: what is named here is public, and imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claude_comm.schema.bounded import adapt, check, diff
    from claude_comm.schema.evolution.adapter import apply
    from claude_comm.schema.evolution.infer import infer
    from claude_comm.schema.explanation import explain
    from claude_comm.schema.normalform.bundle import bundle
    from claude_comm.schema.types.formats import assert_formats
    from claude_comm.schema.verdict import Compatible, Impossible, Incompatible, Reason, Undecided, Verdict

_HOMES = {
    "Compatible": "verdict",
    "Impossible": "verdict",
    "Incompatible": "verdict",
    "Reason": "verdict",
    "Undecided": "verdict",
    "Verdict": "verdict",
    "adapt": "bounded",
    "apply": "evolution.adapter",
    "assert_formats": "types.formats",
    "bundle": "normalform.bundle",
    "check": "bounded",
    "diff": "bounded",
    "explain": "explanation",
    "infer": "evolution.infer",
}

__all__ = [
    "Compatible",
    "Impossible",
    "Incompatible",
    "Reason",
    "Undecided",
    "Verdict",
    "adapt",
    "apply",
    "assert_formats",
    "bundle",
    "check",
    "diff",
    "explain",
    "infer",
]


def __getattr__(name: str) -> object:
    """Imports the file that defines a public name on first access (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'claude_comm.schema' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(f"claude_comm.schema.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

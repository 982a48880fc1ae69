"""Arguments of the engine's front door, checked when they are given.

Law: a value of the wrong kind raises ConfigurationError, which names the argument and what it takes; a policy that
nobody knows is never read as another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from claude_comm.errors import ConfigurationError, shown
from claude_comm.schema.dialect import Dialect
from claude_comm.schema.verdict import Policy

# A day.
MAX_BUDGET_MS = 86_400_000.0
_NUMBERS = (int, float)
_POLICIES, _DIALECTS = get_args(Policy), get_args(Dialect)


def check_options(policy: Any, budget_ms: Any, default_dialect: Any, documents: Any) -> None:
    """Raises ConfigurationError."""
    for name, value, choices in (
        ("policy", policy, _POLICIES),
        ("default_dialect", default_dialect, _DIALECTS),
    ):
        if value not in choices:
            raise ConfigurationError(f"{name} is {shown(value)}: it is {' or '.join(map(repr, choices))}.")
    is_number = isinstance(budget_ms, _NUMBERS) and not isinstance(budget_ms, bool)
    if not is_number or not 0 <= budget_ms <= MAX_BUDGET_MS:
        raise ConfigurationError(f"budget_ms is {shown(budget_ms)}: it is a number of milliseconds, up to a day.")
    if documents is not None:
        _check_documents(documents)


def _check_documents(documents: Any) -> None:
    if not isinstance(documents, Mapping):
        raise ConfigurationError(f"documents is {shown(documents)}: it is a mapping of addresses to schemas.")
    for uri, document in documents.items():
        if not isinstance(uri, str) or not isinstance(document, dict | bool):
            raise ConfigurationError(
                f"documents has {shown(uri)}: {shown(document)}: it is a mapping of addresses to schemas."
            )


def check_aliases(aliases: Any) -> None:
    """Raises ConfigurationError."""
    if aliases is None:
        return
    if not isinstance(aliases, Mapping):
        raise ConfigurationError(f"aliases is {shown(aliases)}: it is a mapping of names to lists of names.")
    for name, others in aliases.items():
        listed = isinstance(others, list | tuple | set | frozenset)
        if not isinstance(name, str) or not listed or not all(isinstance(other, str) for other in others):
            raise ConfigurationError(
                f"aliases has {shown(name)}: {shown(others)}: it is a mapping of names to lists of names."
            )

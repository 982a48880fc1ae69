"""A kit for tests of modules: fixtures for pytest, assertions about contracts, messages from contracts.

This is the front door: what is named here is public, and imported when it is first used. The fixtures `comm`,
`fake_comm` and `module_runner` need no import: `claude_comm.testing.plugin` loads by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claude_comm.testing.assertions import assert_compatible, assert_contract
    from claude_comm.testing.bus import Bus, NotSeen, Outcome
    from claude_comm.testing.running import RunningModule

_HOMES = {
    "Bus": "bus",
    "NotSeen": "bus",
    "Outcome": "bus",
    "RunningModule": "running",
    "assert_compatible": "assertions",
    "assert_contract": "assertions",
}

__all__ = [
    "Bus",
    "NotSeen",
    "Outcome",
    "RunningModule",
    "assert_compatible",
    "assert_contract",
]


def __getattr__(name: str) -> object:
    """Imports the file that defines a public name on first access (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'claude_comm.testing' has no attribute {name!r}")
    import importlib

    value: object = getattr(importlib.import_module(f"claude_comm.testing.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

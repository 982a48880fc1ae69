"""A kit for tests of modules: fixtures for pytest, assertions about contracts, messages from contracts.

This is the front door: what is named here is public, and imported when it is first used. The fixtures `comm`,
`fake_comm` and `module_runner` need no import: `claude_comm.testing.plugin` loads by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from claude_comm.testing.assertions import assert_compatible, assert_contract
    from claude_comm.testing.bus import Bus, NotSeen, Outcome
    from claude_comm.testing.chaos import Chaos
    from claude_comm.testing.fuzzing import Fuzzed, fuzz, fuzz_refuse
    from claude_comm.testing.given import HandlerFailed, assert_handles, given_messages
    from claude_comm.testing.loading import load_module
    from claude_comm.testing.recorder import AnswerNeeded, SentMessage
    from claude_comm.testing.recording import Recorded, RecordedSend, read_contracts, read_recording
    from claude_comm.testing.replaying import ReplayChange, Replayed, replay
    from claude_comm.testing.running import RunningModule
    from claude_comm.testing.strategies import messages
    from claude_comm.testing.trial import Defect, HandledMessage

_HOMES = {
    "AnswerNeeded": "recorder",
    "Bus": "bus",
    "Chaos": "chaos",
    "Defect": "trial",
    "Fuzzed": "fuzzing",
    "HandledMessage": "trial",
    "HandlerFailed": "given",
    "NotSeen": "bus",
    "Outcome": "bus",
    "Recorded": "recording",
    "RecordedSend": "recording",
    "ReplayChange": "replaying",
    "Replayed": "replaying",
    "RunningModule": "running",
    "SentMessage": "recorder",
    "assert_compatible": "assertions",
    "assert_contract": "assertions",
    "assert_handles": "given",
    "fuzz": "fuzzing",
    "fuzz_refuse": "fuzzing",
    "given_messages": "given",
    "load_module": "loading",
    "messages": "strategies",
    "read_contracts": "recording",
    "read_recording": "recording",
    "replay": "replaying",
}

__all__ = [
    "AnswerNeeded",
    "Bus",
    "Chaos",
    "Defect",
    "Fuzzed",
    "HandledMessage",
    "HandlerFailed",
    "NotSeen",
    "Outcome",
    "Recorded",
    "RecordedSend",
    "ReplayChange",
    "Replayed",
    "RunningModule",
    "SentMessage",
    "assert_compatible",
    "assert_contract",
    "assert_handles",
    "fuzz",
    "fuzz_refuse",
    "given_messages",
    "load_module",
    "messages",
    "read_contracts",
    "read_recording",
    "replay",
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

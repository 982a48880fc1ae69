"""A module held to its own contract: the messages that it says it accepts must reach its handlers.

Law: what is reported is a message that the contract allows and the handler's own decoding refuses, tried here exactly
as a delivery would. Messages are sampled, so silence is no proof; the same handler is asked the same every time. What a
schema leaves to code (a validator of a model) promises nothing, and is counted apart.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from claude_comm.client.module.handlers import Handler
from claude_comm.envelope import Envelope
from claude_comm.errors import EncodeError
from claude_comm.json_form import written
from claude_comm.schema.opaque import code_in
from claude_comm.schema.types.samples import samples
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.values import ordered

# A registration takes one to four milliseconds more, most of them to compile the schema.
QUICK_ATTEMPTS = 40
THOROUGH_ATTEMPTS = 2_000
# Seconds of processor time after which the rest of the attempts are left out: a schema of twelve levels that double may
# have samples of many thousand values.
QUICK_S, THOROUGH_S = 0.5, 30.0
MAX_NAMED = 5


class ContractNotKept(UserWarning):
    """A module accepts, by its contract, a message that its handler's type refuses."""


class ContractNotTried(UserWarning):
    """A module's contract takes so long to try that a registration tried only a part of its few messages."""


class Unkept(msgspec.Struct, frozen=True):
    """A message that the contract allows, and why the handler would not get it."""

    message: Any
    reason: str


class SelfCheck(msgspec.Struct, frozen=True):
    """What became of the messages that were tried.

    `code` is what the schema leaves to code, empty where nothing; `cut_short`: the time was up before all were tried.
    """

    type: str
    taken: int
    refused: int
    examples: list[Unkept]
    code: str = ""
    cut_short: bool = False

    @property
    def kept(self) -> bool:
        return not self.refused or bool(self.code)


def self_check(handler: Handler, attempts: int = THOROUGH_ATTEMPTS, seconds: float = THOROUGH_S) -> SelfCheck:
    """Puts sampled messages to a handler's decoding, for so many seconds of processor time; no handler is called."""
    if isinstance(handler.schema, dict) and handler.schema.keys() == {"contentMediaType"}:
        # An array or a table: its schema says what it travels as, and nothing that could be sampled.
        return SelfCheck(handler.type, 0, 0, [])
    code, taken, cut_short = code_in(handler.schema), 0, False
    refused: dict[str, Unkept] = {}
    try:
        for message, envelope in _messages(handler, attempts, _deadline(seconds)):
            try:
                handler.argument(envelope)
                taken += 1
            except Exception as error:  # noqa: BLE001  (reading runs the user's types, as in `handling`)
                refused.setdefault(ordered(message), Unkept(message, str(error)))
    except _OutOfTime:
        cut_short = True
    examples = [refused[text] for text in sorted(refused, key=len)[:MAX_NAMED]]
    return SelfCheck(handler.type, taken, len(refused), examples, code.reason if code else "", cut_short)


def complaint(module: str, handler: Handler) -> UserWarning | None:
    """What a registration has to tell of a handler's contract, after a few messages; nothing where code decides."""
    checked = self_check(handler, QUICK_ATTEMPTS, QUICK_S)
    if not checked.kept:
        return _not_kept(module, handler.type, checked.examples[0])
    if checked.cut_short:
        return ContractNotTried(
            f"{module!r}: {QUICK_S:g} s of processor time were enough for {checked.taken} of the {QUICK_ATTEMPTS} "
            f"messages that registering puts to the {handler.type!r} handler: its schema allows very large ones. "
            "`claude-comm module check PACKAGE.FILE:MODULE` takes longer; bounds in the schema (`maxItems`, fewer "
            "levels) mend it."
        )
    return None


class _OutOfTime(Exception):
    """The processor time of a check is used up."""


def _deadline(seconds: float) -> Callable[[], None]:
    """What raises `_OutOfTime` when it is called after so many seconds of processor time."""
    end = time.thread_time() + seconds

    def tick() -> None:
        if time.thread_time() > end:
            raise _OutOfTime

    return tick


def _not_kept(module: str, type: str, broken: Unkept) -> ContractNotKept:
    message = msgspec.json.encode(broken.message).decode()
    shown = message if len(message) <= 200 else message[:197] + "..."
    return ContractNotKept(
        f"{module!r} accepts the {type!r} message {shown} by its contract, and its handler would not get it: "
        f"{broken.reason} Make the schema say less, or the type take more."
    )


def _messages(handler: Handler, attempts: int, tick: Callable[[], None]) -> Iterator[tuple[Any, Envelope]]:
    validator = compile_validator(handler.schema)
    for message in itertools.islice(samples(handler.schema, random.Random(0).randrange, tick), attempts):
        if not validator.accepts(message):
            continue
        try:
            data = written(message)
        except EncodeError:
            continue
        yield message, Envelope(id="sample", source="self-check", target="self", time=0, agreement="sample", data=data)

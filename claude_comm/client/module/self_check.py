"""A module held to its own contract: the messages that it says it accepts must reach its handlers.

Law: what is reported is a message that the contract allows and the handler's own decoding refuses, tried here exactly
as a delivery would. Messages are sampled, so silence is no proof; the same handler is asked the same every time. What a
schema leaves to code (a validator of a model) promises nothing, and is counted apart.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
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
MAX_NAMED = 5


class ContractNotKept(UserWarning):
    """A module accepts, by its contract, a message that its handler's type refuses."""


class Unkept(msgspec.Struct, frozen=True):
    """A message that the contract allows, and why the handler would not get it."""

    message: Any
    reason: str


class SelfCheck(msgspec.Struct, frozen=True):
    """What became of the messages that were tried. `code` is what the schema leaves to code, empty where nothing."""

    type: str
    taken: int
    refused: int
    examples: list[Unkept]
    code: str = ""

    @property
    def kept(self) -> bool:
        return not self.refused or bool(self.code)


def self_check(handler: Handler, attempts: int = THOROUGH_ATTEMPTS) -> SelfCheck:
    """Puts sampled messages to a handler's decoding; the handler itself is not called."""
    if isinstance(handler.schema, dict) and handler.schema.keys() == {"contentMediaType"}:
        # An array or a table: its schema says what it travels as, and nothing that could be sampled.
        return SelfCheck(handler.type, 0, 0, [])
    code, taken = code_in(handler.schema), 0
    refused: dict[str, Unkept] = {}
    for message, envelope in _messages(handler, attempts):
        try:
            handler.argument(envelope)
            taken += 1
        except Exception as error:  # noqa: BLE001  (reading runs the user's types, as in `handling`)
            refused.setdefault(ordered(message), Unkept(message, str(error)))
    examples = [refused[text] for text in sorted(refused, key=len)[:MAX_NAMED]]
    return SelfCheck(handler.type, taken, len(refused), examples, code.reason if code else "")


def unkept(handler: Handler) -> Unkept | None:
    """The first message, of a few, that breaks the contract; None, too, where code decides."""
    checked = self_check(handler, QUICK_ATTEMPTS)
    return None if checked.kept else checked.examples[0]


def warning(module: str, type: str, broken: Unkept) -> ContractNotKept:
    message = msgspec.json.encode(broken.message).decode()
    shown = message if len(message) <= 200 else message[:197] + "..."
    return ContractNotKept(
        f"{module!r} accepts the {type!r} message {shown} by its contract, and its handler would not get it: "
        f"{broken.reason} Make the schema say less, or the type take more."
    )


def _messages(handler: Handler, attempts: int) -> Iterator[tuple[Any, Envelope]]:
    validator = compile_validator(handler.schema)
    for message in itertools.islice(samples(handler.schema, random.Random(0).randrange), attempts):
        if not validator.accepts(message):
            continue
        try:
            data = written(message)
        except EncodeError:
            continue
        yield message, Envelope(id="sample", source="self-check", target="self", time=0, agreement="sample", data=data)

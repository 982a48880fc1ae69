"""What is hidden of recorded traffic: what the contracts mark as `x-sensitive`, and the paths that were named.

Law: a hidden value keeps its type and its length, so that a replay still reads it; a pattern or a format may refuse it
then, which the replay says. A reason that quotes a hidden value loses it in the same way: the module, handed the hidden
value, gives the same reason. Where it cannot be found out what is sensitive, everything is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from operator import eq
from typing import Any

import msgspec

from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.impact.sensitive import EVERYTHING, NOTHING, Marks, marks
from claude_comm.names import Keys, is_name
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.verdict import Json
from claude_comm.store.shape_marks import marks_of
from claude_comm.store.shapes import Flow
from claude_comm.testing.recording import Recorded, RecordedSend
from claude_comm.transport.driver import Client

# Within a longer word of a reason, a shorter text than this is most likely no quotation.
_WITHIN_WORDS = 4
# A quotation that was cut short is known by so many characters.
_BEGINNING = 8


def marks_of_paths(paths: Sequence[str]) -> Marks:
    """What is to be redacted: paths as `$.user.email`, `$.items[].price` and `$.*.token`. Raises ConfigurationError."""
    return Marks(frozenset(_steps(path) for path in paths))


def _steps(path: str) -> tuple[str, ...]:
    if path != "$" and not path.startswith(("$.", "$[]")):
        raise ConfigurationError(f"{path!r} is no path: write it as $.user.email, $.items[].price or $.*.token.")
    return tuple(step for step in path[1:].replace("[]", ".[]").split(".") if step)


class MarkedInContracts:
    """What is sensitive in recorded deliveries, by their agreements and by the contracts that are registered now."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client, self._keys = client, keys
        self._of_flow = marks_of(client, keys)
        self._contracts: dict[str, Contract | None] = {}

    def redacted(self, delivery: Recorded, paths: Marks = NOTHING) -> Recorded:
        """The delivery without what is marked, nor what stands at these paths."""
        flow = self._flow(delivery.source, delivery)
        read = self._marked(delivery.consumer, lambda contract: contract.accepts.get(delivery.type))
        return _without(
            delivery,
            _all(paths, flow, read),
            _all(paths, self._answered(delivery.consumer, delivery.type)),
            [
                (_all(paths, self._flow(delivery.consumer, sent)), _all(paths, self._answered(sent.target, sent.type)))
                for sent in delivery.sent
            ],
        )

    def contract(self, module: str) -> Contract | None:
        """The contract of a module that is registered now; None where it has none, or one that cannot be read."""
        try:
            return self._find(module)
        except ClaudeCommError:
            return None

    def _flow(self, source: str, message: Recorded | RecordedSend) -> Marks:
        stream = f"{self._keys.namespace}:"
        return self._of_flow(Flow(source, message.target, message.type, message.agreement, stream))

    def _answered(self, module: str, type: str) -> Marks:
        return self._marked(module, lambda contract: contract.replies.get(type))

    def _find(self, module: str) -> Contract | None:
        if module not in self._contracts:
            # A topic is nobody's name.
            self._contracts[module] = self._client.run(registry.find(self._keys, module)) if is_name(module) else None
        return self._contracts[module]

    def _marked(self, module: str, schema_of: Callable[[Contract], Schema | None]) -> Marks:
        try:
            contract = self._find(module)
        except ClaudeCommError:
            return EVERYTHING
        schema = schema_of(contract) if contract is not None else None
        return NOTHING if schema is None else marks(schema)


def _all(*several: Marks) -> Marks:
    return Marks(frozenset().union(*(known.places for known in several)), any(known.everything for known in several))


def redacted(delivery: Recorded, hidden: Marks) -> Recorded:
    """The delivery with what is hidden replaced, in its payload, its reply, its reason and what was sent."""
    return _without(delivery, hidden, hidden, [(hidden, hidden)] * len(delivery.sent))


def _without(delivery: Recorded, data: Marks, reply: Marks, sent: Sequence[tuple[Marks, Marks]]) -> Recorded:
    """The delivery without what is hidden in its payload, in its reply, and in each message sent and its reply."""
    return msgspec.structs.replace(
        delivery,
        data=_hide(delivery.data, data, ()),
        reply=_hide(delivery.reply, reply, ()),
        reason=_unquoted(delivery.reason, _hidden_texts(delivery.data, data, ())),
        sent=[
            msgspec.structs.replace(
                message, data=_hide(message.data, of_data, ()), reply=_hide(message.reply, of_reply, ())
            )
            for message, (of_data, of_reply) in zip(delivery.sent, sent, strict=True)
        ],
    )


def _hide(value: Json, hidden: Marks, at: tuple[str, ...]) -> Json:
    if hidden.hides(at):
        return _blank(value)
    if isinstance(value, dict):
        return {name: _hide(item, hidden, (*at, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_hide(item, hidden, (*at, "[]")) for item in value]
    return value


def _blank(value: Any) -> Json:
    """A value of the same type and length that says nothing."""
    match value:
        case bool():
            return False
        case int() | float():
            return type(value)(0)
        case str():
            return "x" * len(value)
        case list():
            return [_blank(item) for item in value]
        case dict():
            return {name: _blank(item) for name, item in value.items()}
    return value


def _hidden_texts(value: Json, hidden: Marks, at: tuple[str, ...]) -> Iterator[str | int | float]:
    """The hidden texts and numbers, each as it is."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _hidden_texts(item, hidden, (*at, name))
    elif isinstance(value, list):
        for item in value:
            yield from _hidden_texts(item, hidden, (*at, "[]"))
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "" and hidden.hides(at):
        yield value


def _unquoted(reason: str, texts: Iterator[str | int | float]) -> str:
    if not reason:
        return reason
    for value in sorted(set(texts), key=lambda value: len(str(value)), reverse=True):
        text, blank = str(value), str(_blank(value))
        if isinstance(value, str) and len(text) >= _WITHIN_WORDS:
            spellings = _spellings(text)
            for spelling in spellings:
                reason = reason.replace(spelling, blank)
            reason = _without_beginnings(reason, spellings)
        else:
            reason = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", blank, reason)
    return reason


def _spellings(text: str) -> list[str]:
    """A text as it stands in a sentence, in one of JSON, and where Python shows it."""
    quoted = (text, json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], ascii(text)[1:-1])
    return list(dict.fromkeys(quoted))


def _without_beginnings(reason: str, spellings: Sequence[str]) -> str:
    """A reason without the beginnings of these texts: sentences quote a long text up to some length."""
    for beginning in {spelling[:_BEGINNING] for spelling in spellings if len(spelling) > _BEGINNING}:
        at = reason.find(beginning)
        while at >= 0:
            length = max(_common(spelling, reason[at:]) for spelling in spellings)
            reason = reason[:at] + "x" * length + reason[at + length :]
            at = reason.find(beginning, at + length)
    return reason


def _common(left: str, right: str) -> int:
    """How many characters two texts begin with."""
    return sum(takewhile(bool, map(eq, left, right)))

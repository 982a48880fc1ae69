"""What a new contract of a module means, partner by partner: the words of the answer.

Law: pure values. A status is never better than what it rests on: `safe` and `adapted` are proved, `theoretical` has a
witness and messages that all fit, `broken` has a witness or messages that do not; whatever else, traffic or none, is
`undecided`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal["broken", "undecided", "theoretical", "adapted", "safe"]
# The worst first: what the whole has is the first of these that one of its effects has.
STATUSES: tuple[Status, ...] = ("broken", "undecided", "theoretical", "adapted", "safe")
Source: TypeAlias = Literal["partners", "messages", "history", "sessions", "pipelines"]
SOURCES: tuple[Source, ...] = ("partners", "messages", "history", "sessions", "pipelines")
Direction: TypeAlias = Literal["receives", "sends", "answers", "pipeline"]
# A sender of whom nothing is known.
ANYONE = "anyone"


class FailingMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that is there and that the new contract refuses, and where it is: `pending`, `waiting`, `delayed`,
    `dead`, `settled` (still in its stream), `stored` (in the projection alone) or `session`. `path` and `why` stand in
    the first 1,000 of one sender and type."""

    id: str
    source: str
    type: str
    where: str
    path: str = ""
    why: str = ""


class Effect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it means for one partner and one type of message.

    `direction` is what the module does: it receives what the partner sends, sends what it accepts, answers it, or
    stands in a pipeline with it. `messages` were looked at, one by one or by their shapes; `failing` of them would be
    refused, and so would `unnamed` more, of shapes of which no message fits. `refused_before` are messages that are
    refused today as well, `unknown` those that could not be looked at.
    """

    partner: str
    direction: Direction
    type: str
    status: Status
    why: str
    version: str = ""
    witness: Any = msgspec.UNSET
    reasons: list[str] = []
    adapter: list[str] = []
    agreement: str = ""
    messages: int = 0
    failing: list[FailingMessage] = []
    unnamed: int = 0
    refused_before: int = 0
    unknown: int = 0


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far one source was looked through: so many of so many, in words too."""

    source: Source
    looked_at: int
    of: int
    sentence: str
    took_ms: float = 0.0


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer. `before` is the version that the new one takes the place of, empty where there is none."""

    module: str
    version: str
    before: str
    namespace: str
    days: int
    status: Status
    sentence: str
    effects: list[Effect]
    coverage: list[Coverage]

    @property
    def failing(self) -> list[FailingMessage]:
        return [message for effect in self.effects for message in effect.failing]

    @property
    def refused(self) -> int:
        """How many messages that are there would be refused, named or not."""
        return len(self.failing) + sum(effect.unnamed for effect in self.effects)


def worst(statuses: Iterable[Status]) -> Status:
    """Of no effects: nothing is known."""
    given = set(statuses)
    for status in STATUSES:
        if status in given:
            return status
    return "undecided"


def order(effect: Effect) -> tuple[int, str, str, str]:
    """The worst first."""
    return STATUSES.index(effect.status), effect.direction, effect.partner, effect.type

"""What is looked for among the registered modules, and what was found.

Law: three answers, and the third is kept apart. A module is found where every part of the question is answered with
yes, by proof or by validation; it is undecided where a part cannot be told and no part is answered with no.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.registry.contracts import Contract
from claude_comm.schema.verdict import Policy

# How a module and what was asked for fit: it accepts the message or what the contract produces, or the other way round.
Direction: TypeAlias = Literal["accepts", "produces"]
Answer: TypeAlias = Literal["yes", "undecided"]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Every part that is given must hold.

    | field | |
    | --- | --- |
    | `accepts` | a message: modules that accept it; UNSET for none, since `None` is a message |
    | `produces` | a message: modules that may send it |
    | `fits` | a contract: modules that accept something that it produces, or produce something that it accepts |
    | `type` | of messages of this type alone |
    | `capability` | modules whose contract names it |
    | `name` | a module's name, or a pattern with `*`, `?` and `[…]` |
    | `live` | modules of which an instance lives; False: every live release of a contract |
    """

    accepts: Any = msgspec.UNSET
    produces: Any = msgspec.UNSET
    fits: Contract | None = None
    type: str = ""
    capability: str = ""
    name: str = ""
    live: bool = True
    policy: Policy = "closed-producer"
    budget_ms: float = 2_000

    def check(self) -> Query:
        """Itself. Raises ConfigurationError for one that asks for nothing."""
        asked = self.accepts is not msgspec.UNSET or self.produces is not msgspec.UNSET or self.fits is not None
        if not (asked or self.capability or self.name or self.type):
            raise ConfigurationError(
                "nothing is asked for: give a message that is accepted or produced, a contract, a capability or a name."
            )
        return self


class Way(msgspec.Struct, frozen=True):
    """One type of message by which a module fits. `why` says what an undecided answer rests on."""

    direction: Direction
    type: str
    answer: Answer
    why: str = ""


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """A release of a module that fits, and how many of its instances live."""

    module: str
    version: str
    digest: str
    instances: int
    capabilities: list[str] = []
    description: str = ""
    ways: list[Way] = []


class Candidates(msgspec.Struct, frozen=True):
    """Those that fit, and those of which it cannot be told; both by name. `unreadable` are modules whose record or
    contract another program wrote: they were not looked at."""

    found: list[Partner]
    undecided: list[Partner]
    unreadable: list[str] = []

"""The three answers to "does every message that A may send fit B?".

Law: `Compatible` only from a proof, `Incompatible` only with a confirmed witness; whatever else is `Undecided`,
which a gate treats as "no" and a person reads as "could not tell".
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import msgspec

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
Policy: TypeAlias = Literal["closed-producer", "strict"]
Answer: TypeAlias = Literal["compatible", "incompatible", "undecided"]


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way in which a message of the producer breaks the consumer's schema.

    `path` is where in the message (`$` is the whole of it, then `$.items[0].price`); `schema_path` is a JSON
    Pointer into the accepting schema; `rule` is the keyword that refuses; `sentence` is for a person; `mends` are
    changes to either side that would remove this reason.
    """

    path: str
    schema_path: str
    rule: str
    sentence: str
    mends: tuple[str, ...] = ()


class Compatible(msgspec.Struct, frozen=True, kw_only=True, tag="compatible", tag_field="answer", omit_defaults=True):
    """Proved: every message of the producer is accepted. `proof` names the stage that proved it."""

    answer: ClassVar[Answer] = "compatible"
    proof: str = ""


class Incompatible(
    msgspec.Struct, frozen=True, kw_only=True, tag="incompatible", tag_field="answer", omit_defaults=True
):
    """Refuted: `witness` is a message that the producer may send and the consumer refuses, confirmed twice."""

    answer: ClassVar[Answer] = "incompatible"
    witness: Json
    reasons: tuple[Reason, ...] = ()


class Undecided(msgspec.Struct, frozen=True, kw_only=True, tag="undecided", tag_field="answer", omit_defaults=True):
    """Could not tell: `place` is a JSON Pointer into the schema that made it hard, `why` says what did."""

    answer: ClassVar[Answer] = "undecided"
    place: str
    why: str


Verdict: TypeAlias = Compatible | Incompatible | Undecided

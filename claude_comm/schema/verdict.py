"""The answers to "does every message that A may send fit B?".

Law: `Compatible` only from a proof, `Incompatible` only with a confirmed witness; a producer that is proved to have no
message is never compatible with everything in silence: `Impossible`, and under `strict`, which asks for plain
containment, `Compatible` with the field `vacuous`; a consumer that is proved to accept none is told by the field
`refuses_all` of `Incompatible`, and a form of a union that can never be by `empty_forms`; everything else is
`Undecided`, which a person reads as "could not tell". A gate lets through what `passes`, and nothing else.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

# A JSON value as Python holds it. Structural typing of it buys nothing here: every use is behind a schema.
Json: TypeAlias = Any
Policy: TypeAlias = Literal["closed-producer", "strict"]


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


class EmptyForm(msgspec.Struct, frozen=True, kw_only=True):
    """A form of a union (`anyOf`, `oneOf`) that no message has: where in the schema of which side, and what keeps it.

    It is told beside a verdict, which holds without it.
    """

    side: Literal["produced", "accepted"]
    schema_path: str
    why: str


class Compatible(msgspec.Struct, frozen=True, kw_only=True, tag="compatible", tag_field="answer", omit_defaults=True):
    """Proved: every message of the producer is accepted. `proof` names the stage that proved it.

    `vacuous` is only set under `strict`: the producer's schema has no message, and so all of them are accepted.
    `empty_forms` are branches of unions that no value fits.
    """

    proof: str = ""
    vacuous: str = ""
    empty_forms: tuple[EmptyForm, ...] = ()

    @property
    def answer(self) -> Literal["compatible"]:
        return "compatible"


class Incompatible(
    msgspec.Struct, frozen=True, kw_only=True, tag="incompatible", tag_field="answer", omit_defaults=True
):
    """Refuted: `witness` is a message that the producer may send and the consumer refuses, confirmed twice.

    `refuses_all` is set if the consumer refuses every message: no message at all fits its schema.
    `empty_forms` are branches of unions that no value fits.
    """

    witness: Json
    reasons: tuple[Reason, ...] = ()
    refuses_all: str = ""
    empty_forms: tuple[EmptyForm, ...] = ()

    @property
    def answer(self) -> Literal["incompatible"]:
        return "incompatible"


class Impossible(msgspec.Struct, frozen=True, kw_only=True, tag="impossible", tag_field="answer", omit_defaults=True):
    """Proved: no message fits the producer's schema, so that it can send nothing. A gate treats this as "no".

    Containment holds, as for every empty set, but the producer could never send a message. `proof` names the stage that
    proved containment; `why` says it in words.
    """

    proof: str
    why: str

    @property
    def answer(self) -> Literal["impossible"]:
        return "impossible"


class Undecided(msgspec.Struct, frozen=True, kw_only=True, tag="undecided", tag_field="answer", omit_defaults=True):
    """Neither proved nor refuted: `place` is a JSON Pointer to the difficult part of the schema, `why` the reason."""

    place: str
    why: str

    @property
    def answer(self) -> Literal["undecided"]:
        return "undecided"


Verdict: TypeAlias = Compatible | Incompatible | Impossible | Undecided


def passes(verdict: Verdict) -> bool:
    """Whether a gate lets it through: proved, and the producer can send something."""
    return isinstance(verdict, Compatible) and not verdict.vacuous


def at_a_gate(verdict: Verdict) -> str:
    """The answer that a gate acts on: what is only vacuously compatible counts as `impossible`."""
    return "impossible" if contained(verdict) and not passes(verdict) else verdict.answer


def contained(verdict: Verdict) -> bool:
    """Whether every message is accepted, for a place of a schema rather than for a producer: there may be none."""
    return isinstance(verdict, Compatible | Impossible)

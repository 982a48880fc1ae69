"""Which questions a negotiation document asks, given what its two modules have registered.

Law: pure. `input` is what the source sends and `output` what the target answers. Where the receiving side has
registered what it accepts of that type, that is what is asked against; where it has not, the document's schema is
what both sides agree on. What a side has declared to produce must itself fit the schema of the document.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError
from claude_comm.negotiation.agreement import Question
from claude_comm.registry.contracts import Contract, Schema


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A negotiation document. `type` is the type of the messages that the source sends; empty: found out."""

    source_module: str
    target_module: str
    input: Schema
    output: Schema
    type: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a module declared to produce, held to the document: `produced` must fit `stated`."""

    module: str
    part: str
    produced: Schema
    stated: Schema


def proposal(document: dict[str, Any]) -> Proposal:
    """From a document of the right form."""
    return Proposal(
        source_module=document["source_module"],
        target_module=document["target_module"],
        input=document["schema"]["input"],
        output=document["schema"]["output"],
        type=document.get("type", ""),
    )


def questions(proposed: Proposal, source: Contract | None, target: Contract | None) -> tuple[Question, Question]:
    """There and back: what the source sends, then what the target answers. Raises ConfigurationError."""
    type_ = message_type(proposed, target)
    there = Question(
        producer=proposed.source_module,
        consumer=proposed.target_module,
        type=type_,
        produced=proposed.input,
        accepted=target.accepts[type_] if target and target.accepts else proposed.input,
    )
    back = Question(
        producer=proposed.target_module,
        consumer=proposed.source_module,
        type=type_,
        produced=proposed.output,
        accepted=source.accepts.get(type_, proposed.output) if source else proposed.output,
    )
    return there, back


def claims(proposed: Proposal, type_: str, source: Contract | None, target: Contract | None) -> list[Claim]:
    """What the modules have declared to produce for each other, where they have."""
    found = []
    for contract, other, part, stated in (
        (source, proposed.target_module, "input", proposed.input),
        (target, proposed.source_module, "output", proposed.output),
    ):
        produced = contract.sends(other, type_) if contract else None
        if contract is not None and produced is not None:
            found.append(Claim(module=contract.module, part=part, produced=produced, stated=stated))
    return found


def message_type(proposed: Proposal, target: Contract | None) -> str:
    """The type that is negotiated: as named, else the only one that the target accepts, else the default one."""
    accepted = sorted(target.accepts) if target else []
    if proposed.type in accepted or (proposed.type and not accepted):
        return proposed.type
    if not proposed.type and (not accepted or DEFAULT_TYPE in accepted):
        return DEFAULT_TYPE
    if not proposed.type and len(accepted) == 1:
        return accepted[0]
    named = f"not {proposed.type!r}" if proposed.type else "so the document must name one of these as its `type`"
    raise ConfigurationError(f"{proposed.target_module!r} accepts {', '.join(map(repr, accepted))} messages, {named}.")

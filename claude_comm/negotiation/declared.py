"""The questions that a negotiation document asks, given what its two modules have registered.

Law: pure. `input` is what the source sends and `output` what the target answers. Where the receiving side has
registered what it accepts of that type, the question is about that schema; where it has not, about the document's. A
schema that a side has declared to produce must itself fit the schema of the document.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.envelope import DEFAULT_TYPE
from claude_comm.errors import ConfigurationError
from claude_comm.negotiation.agreement import Question
from claude_comm.registry.contracts import Contract, Schema


class NegotiationDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What two modules negotiate. `type` is the type of the messages that the source sends; empty: derived from what
    the target accepts."""

    source_module: str
    target_module: str
    input: Schema
    output: Schema
    type: str = ""


class DeclaredProduct(msgspec.Struct, frozen=True, kw_only=True):
    """What a module declared to produce, held to the document: `produced` must fit `stated`."""

    module: str
    part: str
    produced: Schema
    stated: Schema


def parsed(document: dict[str, Any]) -> NegotiationDocument:
    """A document of the right form, as a value."""
    return NegotiationDocument(
        source_module=document["source_module"],
        target_module=document["target_module"],
        input=document["schema"]["input"],
        output=document["schema"]["output"],
        type=document.get("type", ""),
    )


def questions(
    document: NegotiationDocument, source: Contract | None, target: Contract | None
) -> tuple[Question, Question]:
    """There and back: what the source sends, then what the target answers. Raises ConfigurationError."""
    type_ = message_type(document, target)
    there = Question(
        producer=document.source_module,
        consumer=document.target_module,
        type=type_,
        produced=document.input,
        accepted=target.accepts[type_] if target and target.accepts else document.input,
        consumer_version=target.version if target else "",
    )
    back = Question(
        producer=document.target_module,
        consumer=document.source_module,
        type=type_,
        produced=document.output,
        accepted=source.accepts.get(type_, document.output) if source else document.output,
        consumer_version=source.version if source else "",
    )
    return there, back


def claims(
    document: NegotiationDocument, type_: str, source: Contract | None, target: Contract | None
) -> list[DeclaredProduct]:
    """What the modules have declared to produce for each other, where they have."""
    claimed = []
    for contract, other, part, stated in (
        (source, document.target_module, "input", document.input),
        (target, document.source_module, "output", document.output),
    ):
        produced = contract.sends(other, type_) if contract else None
        if contract is not None and produced is not None:
            claimed.append(DeclaredProduct(module=contract.module, part=part, produced=produced, stated=stated))
    return claimed


def message_type(document: NegotiationDocument, target: Contract | None) -> str:
    """The type that is negotiated: as named, else the only one that the target accepts, else the default one."""
    accepted = sorted(target.accepts) if target else []
    if document.type in accepted or (document.type and not accepted):
        return document.type
    if not document.type and (not accepted or DEFAULT_TYPE in accepted):
        return DEFAULT_TYPE
    if not document.type and len(accepted) == 1:
        return accepted[0]
    named = f"not {document.type!r}" if document.type else "so the document must name one of these as its `type`"
    raise ConfigurationError(f"{document.target_module!r} accepts {', '.join(map(repr, accepted))} messages, {named}.")

"""What is known of the module of a step: from the document, or from the contract that is registered.

Law: pure. What a registered contract says goes before what the document says; what neither says is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from claude_comm.documents.form import DocumentProblem
from claude_comm.errors import UnknownModule
from claude_comm.pipeline.document import Step
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.registry.versions import within


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The type of the messages to a step, what it accepts and returns, and where that is said. `absent`: an optional
    step whose module is not registered."""

    type: str
    accepts: Schema | None
    returns: Schema | None
    accepts_at: str
    returns_at: str
    aliases: Mapping[str, Sequence[str]] = {}
    passes: tuple[str, ...] = ()
    version: str = ""
    absent: bool = False


def declared(step: Step) -> tuple[Facts, list[DocumentProblem]]:
    """By the document alone."""
    return (
        Facts(
            type=step.wanted_type,
            accepts=step.accepts,
            returns=step.returns,
            accepts_at=f"{step.place}.input_schema",
            returns_at=f"{step.place}.output_schema",
            aliases=step.aliases,
            passes=step.passes,
        ),
        [],
    )


def registered(
    contracts: Mapping[str, Sequence[Contract]], known: Collection[str]
) -> Callable[[Step], tuple[Facts, list[DocumentProblem]]]:
    """By what is registered, else by the document. `contracts` are those that messages may be meant for, by module, the
    preferred one first: the first in the range of the step is taken. `known` are the names of all modules."""

    def resolve(step: Step) -> tuple[Facts, list[DocumentProblem]]:
        said, problems = declared(step)
        offered = contracts.get(step.module, ())
        if not offered:
            if step.optional:
                return msgspec.structs.replace(said, absent=True), problems
            return said, [
                *problems,
                DocumentProblem(f"{step.place}.module", str(UnknownModule(step.module, sorted(known)))),
            ]
        contract = next((candidate for candidate in offered if within(candidate.version, step.version)), None)
        if contract is None:
            there = " and ".join(candidate.version for candidate in offered)
            hint = _pre_release(offered, step.version)
            sentence = f"{step.module!r} is registered as version {there}, which is not {step.version!r}.{hint}"
            return said, [*problems, DocumentProblem(f"{step.place}.version", sentence)]
        type_, wrong = _type(step, contract)
        if wrong:
            problems = [*problems, DocumentProblem(f"{step.place}.type", wrong)]
        return _of_contract(step, said, contract, type_), problems

    return resolve


def _pre_release(offered: Sequence[Contract], wanted: str) -> str:
    """What to write where a version is outside of a range only because it comes before its release."""
    for candidate in offered:
        release, dash, _ = candidate.version.partition("-")
        if dash and within(release, wanted):
            return f" {candidate.version} comes before {release}: write '>={candidate.version}', or the version itself."
    return ""


def _of_contract(step: Step, said: Facts, contract: Contract, type_: str) -> Facts:
    """What the contract says of messages of a type; what it leaves open, the document may say."""
    at = f"the contract of {step.module} {contract.version}"
    accepts, returns = contract.accepts.get(type_), contract.replies.get(type_)
    return Facts(
        type=type_,
        accepts=said.accepts if accepts is None else accepts,
        returns=said.returns if returns is None else returns,
        accepts_at=said.accepts_at if accepts is None else f"{at}, accepts.{type_}",
        returns_at=said.returns_at if returns is None else f"{at}, replies.{type_}",
        aliases={**contract.aliases.get(type_, {}), **step.aliases},
        passes=(*step.passes, *contract.passes.get(type_, ())),
        version=contract.version,
    )


def _type(step: Step, contract: Contract) -> tuple[str, str]:
    """The type of the messages to a step, and why it cannot be that."""
    accepted = sorted(contract.accepts)
    if not accepted or step.type in accepted:
        return step.wanted_type, ""
    if not step.type and (step.wanted_type in accepted or len(accepted) == 1):
        return (step.wanted_type if step.wanted_type in accepted else accepted[0]), ""
    listed = ", ".join(map(repr, accepted))
    if step.type:
        return step.type, f"{step.module!r} accepts {listed} messages, not {step.type!r}."
    return step.wanted_type, f"{step.module!r} accepts {listed} messages: name one of them as `type`."

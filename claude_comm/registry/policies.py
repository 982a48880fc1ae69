"""Compatibility policies: what a new version of a contract must keep of earlier ones, proved.

Law: pure but for the engine's clock. What is not proved counts as broken, and says that it was undecided. Under

- `backward`, whoever talks to the earlier version can talk to the new one: the new one accepts all messages that were
  accepted (as a producer sends them that has no properties of its own), and what it sends and replies is some of what
  was sent before;
- `forward`, whoever was made for the new version can talk to the earlier one: the same with the two exchanged;
- `full`, both.

Each is about the version before, and with `-transitive` about all before. The policy that counts is that of the new
contract, and also that of the version before it: a promise is not taken back by the one that breaks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.errors import ContractRefused
from claude_comm.registry.contracts import Compatibility, Contract, Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Incompatible, Undecided, Verdict, contained

Direction: TypeAlias = Literal["backward", "forward"]
Side: TypeAlias = Literal["accepts", "produces", "replies"]


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a new contract does not keep of the version `against`. `verdict` has the witness; None where the
    type is not there at all."""

    against: str
    direction: Direction
    side: Side
    type: str
    verdict: Verdict | None

    @property
    def undecided(self) -> bool:
        return isinstance(self.verdict, Undecided)

    @property
    def sentence(self) -> str:
        reading = "the messages of before" if self.direction == "backward" else "those made for the new version"
        what = f"{self.side} {self.type!r} ({self.direction}, against {self.against})"
        match self.verdict:
            case None:
                return f"{what}: the type is missing."
            case Incompatible(witness=witness, reasons=reasons):
                why = f" {reasons[0].sentence} (at {reasons[0].path})." if reasons else ""
                return f"{what}: of {reading}, {shown(witness)} would be refused.{why}"
            case Undecided(why=why, place=place):
                return f"{what}: undecided, which counts as no: {why} (at {place or 'the root'})."
        return f"{what}: nothing fits there any more."


def refused(contract: Contract, policy: Compatibility, broken: Sequence[Break]) -> ContractRefused:
    """The error of a contract that does not keep these."""
    lines = "\n".join(f"  {breach.sentence}" for breach in broken)
    sentence = (
        f"version {contract.version} of {contract.module!r} is not registered: not {policy} compatible:\n{lines}\n"
        "Change the contract, or declare another `compatibility` in the version before this one."
    )
    return ContractRefused(sentence, broken, undecided=all(breach.undecided for breach in broken))


def shown(witness: object) -> str:
    text = msgspec.json.encode(witness).decode(errors="replace")
    return text if len(text) <= 200 else text[:197] + "..."


def breaks(new: Contract, earlier: Sequence[Contract], policy: Compatibility) -> list[Break]:
    """What the new contract does not keep of these, the nearest of which comes first."""
    if policy == "none" or not earlier:
        return []
    directions: list[Direction] = ["backward"] if policy.startswith("backward") else ["forward"]
    if policy.startswith("full"):
        directions = ["backward", "forward"]
    before = earlier if policy.endswith("-transitive") else earlier[:1]
    return [
        Break(against=old.version, direction=direction, side=side, type=type, verdict=verdict)
        for old in before
        for direction in directions
        for side, type, verdict in _broken(*((old, new) if direction == "backward" else (new, old)))
    ]


def _broken(served: Contract, serving: Contract) -> Iterator[tuple[Side, str, Verdict | None]]:
    """Where who was made for `served` cannot do with `serving`."""
    for type, schema in served.accepts.items():
        yield from _unfit("accepts", type, schema, serving.accepts.get(type))
    sent: dict[tuple[str, str], Schema] = {
        (produced.type, produced.target): produced.schema for produced in serving.produces
    }
    for (type, target), schema in sent.items():
        expected = served.sends(target, type)
        if expected is not None:
            yield from _unfit("produces", type, schema, expected)
    yield from _replies(served.replies, serving.replies)


def _replies(served: Mapping[str, Schema], serving: Mapping[str, Schema]) -> Iterator[tuple[Side, str, Verdict | None]]:
    """A type that answers with anything now may answer with what nobody expects."""
    for type, expected in served.items():
        yield from _unfit("replies", type, serving.get(type, True), expected)


def _unfit(
    side: Side, type: str, produced: Schema, accepted: Schema | None
) -> Iterator[tuple[Side, str, Verdict | None]]:
    if accepted is None:
        yield side, type, None
        return
    verdict = check(produced, accepted)
    # A schema that allows nothing, on the serving side of what is sent, sends nothing that could break anybody.
    if not contained(verdict):
        yield side, type, verdict

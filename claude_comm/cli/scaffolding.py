"""Files with typed handlers, held to the contracts that they were written from.

Law: what is said of a file was proved of it: it is executed as Python executes it, and the contract of the Module that
it makes is compared with the given one, both ways. A type that says more than its schema is replaced by none.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from claude_comm.client.module.module import Module
from claude_comm.errors import ClaudeCommError
from claude_comm.interchange.scaffold.file import Part, Scaffold, scaffold
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Compatible, Impossible, Verdict

# `equal`: proved both ways. `wider` takes more than the given schema, `narrower` less.
Relation: TypeAlias = Literal["equal", "wider", "narrower", "different", "undecided"]

_NAME = "claude_comm_scaffold"


class Proved(msgspec.Struct, frozen=True):
    """How a schema of the written file stands to the given one."""

    part: str
    type: str
    relation: Relation

    @property
    def kept(self) -> bool:
        """Whether every partner of the given contract is served: an answer may be one of fewer."""
        return self.relation == "equal" or (self.part == "replies" and self.relation == "narrower")


class Written(msgspec.Struct, frozen=True):
    """The file, and what was proved of each of its schemas."""

    scaffold: Scaffold
    proved: list[Proved]


def written(contract: Contract) -> Written:
    """The file with as much said by types as can be: schemas stand beside those that take more."""
    untyped = {part for part, schema in _parts(contract) if not _can_be_typed(contract, part)}
    first = scaffold(contract, untyped=untyped)
    relations = dict(_relations(contract, _contract_of(first.text)))
    narrower = {part for part, relation in relations.items() if relation not in ("equal", "wider")}
    # What is sent is declared by its schema wherever a type does not say the same; what is answered by a type alone.
    inexact = {part for part, relation in relations.items() if relation != "equal" and part[0] != "replies"}
    untyped |= {part for part in narrower if part[0] == "accepts"}
    last = scaffold(contract, beside=inexact, untyped=untyped)
    proved = [
        Proved(part[0], _type_of(contract, part), relation)
        for part, relation in _relations(contract, _contract_of(last.text))
    ]
    return Written(last, proved)


def _can_be_typed(contract: Contract, part: Part) -> bool:
    """Whether a file with the type of this part alone can be executed."""
    others = {other for other, _ in _parts(contract) if other != part}
    try:
        _contract_of(scaffold(contract, untyped=others).text)
    except (ClaudeCommError, TypeError, ValueError, NameError, SyntaxError, RecursionError):
        return False
    return True


def _contract_of(text: str) -> Contract:
    """The contract of the Module in this file, which is executed."""
    namespace = types.ModuleType(_NAME)
    # Annotations are text, and looked up in the module that their class says it is of.
    sys.modules[_NAME] = namespace
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(text, f"<{_NAME}>", "exec"), namespace.__dict__)
        made: Any = namespace.__dict__["module"]
        assert isinstance(made, Module)
        return made.contract()
    finally:
        del sys.modules[_NAME]


def _parts(contract: Contract) -> Iterator[tuple[Part, Schema]]:
    yield from ((("accepts", type), schema) for type, schema in contract.accepts.items())
    yield from ((("produces", str(index)), sent.schema) for index, sent in enumerate(contract.produces))
    replies = contract.replies.items()
    yield from ((("replies", type), schema) for type, schema in replies if type in contract.accepts)


def _relations(given: Contract, made: Contract) -> Iterator[tuple[Part, Relation]]:
    there = dict(_parts(made))
    for part, schema in _parts(given):
        yield part, _relation(schema, there.get(part, True))


def _relation(given: Schema, made: Schema) -> Relation:
    takes_all, takes_no_more = (check(*pair, policy="strict") for pair in ((given, made), (made, given)))
    if "undecided" in (takes_all.answer, takes_no_more.answer):
        return "undecided"
    sides = (_holds(takes_all), _holds(takes_no_more))
    return {(True, True): "equal", (True, False): "wider", (False, True): "narrower"}.get(sides, "different")  # type: ignore[return-value]


def _holds(verdict: Verdict) -> bool:
    # A schema that nothing fits is within every other one.
    return isinstance(verdict, Compatible | Impossible)


def _type_of(contract: Contract, part: Part) -> str:
    return contract.produces[int(part[1])].type if part[0] == "produces" else part[1]

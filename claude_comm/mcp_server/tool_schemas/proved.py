"""Tools of a contract: each form of its schema proved inside it, and what the forms leave out said with a message.

Law: a tool is offered only from a proof by the engine that everything its schema allows is accepted by the contract,
whoever sends it (policy `strict`). What cannot be proved is not offered, and is said with its reason: such a type of
message is still reached by name, and held to the contract itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.mcp_server.tool_schemas.forms import ToolForm, forms
from claude_comm.mcp_server.tool_schemas.inline import NotInlined, inlined
from claude_comm.mcp_server.tool_schemas.simplify import simplified
from claude_comm.schema import keywords
from claude_comm.schema.bounded import check
from claude_comm.schema.dialect import DEFAULT, URI, dialect_of
from claude_comm.schema.verdict import Compatible, Incompatible, Json, contained, passes

# For all proofs about one type of message.
BUDGET_MS = 2_000
# A client's parser, and the model behind it, get this much of one tool.
MAX_SCHEMA_BYTES = 64 * 1024

_CACHED = 512


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """Proved: whatever a sender of the contract may send can be said with the tools."""


class Partial(msgspec.Struct, frozen=True, tag="partial"):
    """`witness` is a message that the contract accepts and no tool can say."""

    witness: Json


class UnknownCoverage(msgspec.Struct, frozen=True, tag="unknown"):
    """Whether the tools say all of the contract could not be decided."""

    why: str


Coverage: TypeAlias = Whole | Partial | UnknownCoverage


class ProvedTools(msgspec.Struct, frozen=True):
    """The forms of one type of message; none, with the reason, where none could be proved."""

    forms: list[ToolForm]
    coverage: Coverage | None = None
    why_none: str = ""


def prove(schema: Json) -> ProvedTools:
    """The proved forms of a schema that a module accepts."""
    return _prove(msgspec.json.encode(schema))


@lru_cache(maxsize=_CACHED)
def _prove(text: bytes) -> ProvedTools:
    schema = msgspec.json.decode(text)
    try:
        plain = simplified(inlined(schema).schema)
        dialect = dialect_of(schema)
    except NotInlined as error:
        return ProvedTools([], why_none=f"its schema is not written as a tool's: {error}")
    except SchemaError as error:
        return ProvedTools([], why_none=f"its schema cannot be used: {error.sentence}")
    why = "it accepts no message"
    for way in forms(plain):
        named = [msgspec.structs.replace(form, schema=_in_dialect(form.schema, dialect)) for form in way]
        why = _refuted(named, schema)
        if not why:
            return ProvedTools(named, _coverage(named, schema))
    return ProvedTools([], why_none=why)


def _refuted(way: list[ToolForm], schema: Json) -> str:
    """Why one of these forms is no tool; empty where all are proved."""
    for form in way:
        if len(msgspec.json.encode(form.schema)) > MAX_SCHEMA_BYTES:
            return f"as a tool its schema has more than {MAX_SCHEMA_BYTES // 1024} KiB"
        try:
            verdict = check(said(form), schema, policy="strict", budget_ms=BUDGET_MS)
        except SchemaError as error:
            return f"its schema cannot be used: {error.sentence}"
        if not passes(verdict):
            return f"no form of it could be proved to be accepted ({verdict.answer})"
    return ""


def said(form: ToolForm) -> Json:
    """The schema of the messages that a form can say."""
    first, *others = _said_at_once(form)
    return {**first, "allOf": others} if others else first


def _said_at_once(form: ToolForm) -> list[Json]:
    """Schemas that a message of the form fits all of: the form without the condition that every object meets, and what
    that demands. Apart, a proof over a union of sixty branches compares each branch with itself."""
    whole = form.schema["properties"]["value"] if form.wrapped else form.schema
    always = isinstance(whole, dict) and whole.get("type") == "object" and whole.get("if") == {"type": "object"}
    if not always or "allOf" in whole or not keywords.known("if", dialect_of(whole)):
        return [whole]
    return [{word: value for word, value in whole.items() if word not in ("if", "then")}, whole.get("then", True)]


def _coverage(way: list[ToolForm], schema: Json) -> Coverage:
    """Whether the forms together say all that a sender of the contract would."""
    demands = _said_at_once(way[0]) if len(way) == 1 else [{"anyOf": [said(form) for form in way]}]
    if len(demands) > 1 and _follows(*demands):
        demands = demands[1:]
    verdicts = [check(schema, demand, budget_ms=BUDGET_MS) for demand in demands]
    for verdict in verdicts:
        if isinstance(verdict, Incompatible):
            return Partial(verdict.witness)
    unsure = [verdict for verdict in verdicts if not contained(verdict)]
    return UnknownCoverage(getattr(unsure[0], "why", "")) if unsure else Whole()


def _follows(demand: Json, other: Json) -> bool:
    """Whether each branch of the union that the other is fits the demand: then nothing is left to prove of it."""
    union = next((word for word in keywords.UNIONS if isinstance(other, dict) and word in other), None)
    if union is None:
        return False
    branches = other[union]
    return all(
        isinstance(check(branch, demand, policy="strict", budget_ms=BUDGET_MS), Compatible) for branch in branches
    )


def _in_dialect(schema: dict[str, Any], dialect: Any) -> dict[str, Any]:
    return schema if dialect == DEFAULT else {"$schema": URI[dialect], **schema}


class ResultSchema(msgspec.Struct, frozen=True):
    """The schema of a tool's structured result; `wrapped`: the reply is its member `value`."""

    schema: dict[str, Any]
    wrapped: bool


def result_schema(schema: Json) -> ResultSchema | None:
    """A schema without references that accepts every reply of the contract, by proof; None where there is none."""
    return _result_schema(msgspec.json.encode(schema))


@lru_cache(maxsize=_CACHED)
def _result_schema(text: bytes) -> ResultSchema | None:
    schema = msgspec.json.decode(text)
    try:
        plain = inlined(schema, at_cut=True, unrolled=1).schema
        plain = {} if plain is True else plain
        if not isinstance(plain, dict) or not isinstance(check(schema, plain, policy="strict"), Compatible):
            return None
    except (NotInlined, SchemaError):
        return None
    if plain.get("type") == "object" and not {"anyOf", "oneOf", "allOf"} & plain.keys():
        return ResultSchema(plain, wrapped=False)
    whole: dict[str, Any] = {"type": "object", "properties": {"value": plain}, "required": ["value"]}
    return ResultSchema(whole, wrapped=True)

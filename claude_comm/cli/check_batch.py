"""Many pairs of schemas checked in one process: one JSON line in, one JSON line out.

Law: every line that is not empty has exactly one line of outcome, in the same order and written before the next is
read. A line that cannot be used says why in `error` and ends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, get_args

import msgspec

from claude_comm.cli.documents import JsonLine
from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.schema.bounded import check
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.verdict import Json, Policy, Verdict, at_a_gate

UNUSABLE = "unusable"


class BatchQuestion(msgspec.Struct, frozen=True):
    """The question on one line: is every message of `sub` one of `sup`? `dialect` is for schemas without `$schema`.

    `documents` are the schemas that both may refer to.
    """

    sub: Json
    sup: Json
    dialect: Dialect
    documents: dict[str, Json]


class PairOutcome(msgspec.Struct, frozen=True):
    """The result for one line: the answer that a gate acts on or `unusable`, and the object that is written."""

    answer: str
    shown: dict[str, Any]


def outcomes(lines: Iterable[JsonLine], policy: Policy, budget_ms: float) -> Iterator[PairOutcome]:
    """One for each line; each verdict may take `budget_ms`."""
    for line in lines:
        id_: str | int | float | None = None
        begun = time.perf_counter()
        try:
            request = line.value()
            id_ = _id(request)
            pair = _pair(request)
            verdict = check(
                pair.sub,
                pair.sup,
                policy=policy,
                budget_ms=budget_ms,
                default_dialect=pair.dialect,
                documents=pair.documents,
            )
        except ClaudeCommError as error:
            yield PairOutcome(UNUSABLE, {"id": id_, "line": line.number, "error": _on_line(line, error)})
        else:
            yield PairOutcome(at_a_gate(verdict), _shown(id_, verdict, time.perf_counter() - begun))


def _id(request: Json) -> str | int | float | None:
    """The id of the line, where it can be written back as it is."""
    id_ = request.get("id") if isinstance(request, dict) else None
    return id_ if isinstance(id_, str | int | float) else None


def _pair(request: Json) -> BatchQuestion:
    if not isinstance(request, dict):
        raise ConfigurationError("an object with `id`, `dialect`, `sub` and `sup` is expected.")
    if missing := [f"`{name}`" for name in ("id", "sub", "sup") if name not in request]:
        raise ConfigurationError(f"{', '.join(missing)} missing.")
    if _id(request) is None:
        raise ConfigurationError("`id` is neither text nor a number.")
    dialect = request.get("dialect", DEFAULT)
    if dialect not in get_args(Dialect):
        raise ConfigurationError(f"`dialect` is none of {', '.join(get_args(Dialect))}.")
    at_hand = request.get("documents", {})
    if not isinstance(at_hand, dict):
        raise ConfigurationError("`documents` is no object of schemas by their addresses.")
    return BatchQuestion(request["sub"], request["sup"], dialect, at_hand)


def _on_line(line: JsonLine, error: ClaudeCommError) -> str:
    """What is wrong, with the number of the line, which an error of reading names itself."""
    place = f"line {line.number}"
    return str(error) if str(error).startswith(place) else f"{place}: {error}"


def _shown(id_: str | int | float | None, verdict: Verdict, seconds: float) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(verdict)
    return {"id": id_, **fields, "elapsed_ms": round(seconds * 1000, 3)}

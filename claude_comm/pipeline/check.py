"""The check of a pipeline: its form, its schemas, and every hop from one module to the next.

Law: pure, and complete: a fault never hides another. A hop is checked where both of its schemas are well formed;
where one side declares none there is nothing to check, which the report says and which is no fault.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping
from typing import Any, Literal

import msgspec

from claude_comm.documents import form
from claude_comm.documents.form import Problem
from claude_comm.errors import SchemaError
from claude_comm.pipeline.faults import faults
from claude_comm.schema.containment.check import check
from claude_comm.schema.verdict import Json, Policy, Undecided, Verdict, passes

Answer = Literal["yes", "no", "undecided"]


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """From one module to the next: where the two schemas stand in the document, and the verdict.

    Without a verdict, `note` says why there was nothing to check.
    """

    producer: str
    consumer: str
    produced_at: str
    accepted_at: str
    verdict: Verdict | None = None
    note: str = ""


class PipelineReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found in one pipeline document."""

    pipeline_name: str
    problems: list[Problem]
    hops: list[Hop]

    @property
    def answer(self) -> Answer:
        """`no` for any fault or refusal; `undecided` when nothing worse than that was met."""
        stopped = [hop.verdict for hop in self.hops if hop.verdict is not None and not passes(hop.verdict)]
        if self.problems or any(not isinstance(verdict, Undecided) for verdict in stopped):
            return "no"
        return "undecided" if stopped else "yes"


def inspect(
    document: object,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    clock: Callable[[], float] | None = None,
) -> PipelineReport:
    """The report on a pipeline document, whatever it holds.

    `budget_ms` is for each hop, by `clock` (seconds); without one it is counted in steps.
    """
    decide = functools.partial(check, policy=policy, budget_ms=budget_ms, clock=clock)
    problems = form.problems("pipeline", document)
    name = document.get("pipeline_name") if isinstance(document, dict) else None
    modules = document.get("modules") if isinstance(document, dict) else None
    hops: list[Hop] = []
    if isinstance(modules, list):
        malformed = _malformed(modules)
        problems += [problem for listed in malformed.values() for problem in listed]
        hops = [
            _hop(modules, index, malformed.keys(), decide)
            for index in range(len(modules) - 1)
            if isinstance(modules[index], dict) and isinstance(modules[index + 1], dict)
        ]
    return PipelineReport(pipeline_name=name if isinstance(name, str) else "", problems=problems, hops=hops)


def _malformed(modules: list[Any]) -> dict[tuple[int, str], list[Problem]]:
    """The faults of each schema that cannot be used, by module and side."""
    faulty: dict[tuple[int, str], list[Problem]] = {}
    for index, module in enumerate(modules):
        for side in ("input_schema", "output_schema"):
            schema = module.get(side) if isinstance(module, dict) else None
            # A schema of another type is a fault of the document's form, and named there.
            if isinstance(schema, dict) and (problems := faults(schema, ("modules", index, side))):
                faulty[index, side] = problems
    return faulty


def _hop(
    modules: list[Mapping[str, Any]],
    index: int,
    malformed: Container[tuple[int, str]],
    decide: Callable[[Json, Json], Verdict],
) -> Hop:
    left, right = modules[index], modules[index + 1]
    hop = Hop(
        producer=str(left.get("name", f"modules[{index}]")),
        consumer=str(right.get("name", f"modules[{index + 1}]")),
        produced_at=f"$.modules[{index}].output_schema",
        accepted_at=f"$.modules[{index + 1}].input_schema",
    )
    produced, accepted = left.get("output_schema"), right.get("input_schema")
    if not isinstance(produced, dict | bool) or not isinstance(accepted, dict | bool):
        missing = hop.accepted_at if isinstance(produced, dict | bool) else hop.produced_at
        return msgspec.structs.replace(hop, note=f"nothing to check: no schema at {missing}.")
    if (index, "output_schema") in malformed or (index + 1, "input_schema") in malformed:
        return msgspec.structs.replace(hop, note="not checked: a schema is malformed.")
    try:
        verdict = decide(produced, accepted)
    except SchemaError as error:
        verdict = Undecided(place=error.path, why=error.sentence)
    return msgspec.structs.replace(hop, verdict=verdict)

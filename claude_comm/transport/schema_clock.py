"""The clock of the schema engine: `check`, `diff` and `adapt`, bounded in time.

Law: the engine is pure and asks its budget at every step of a proof; what it cannot interrupt (compiling, canonical
forms, validating) it estimates first and leaves out where that might take long. So a clock is all that it needs from
outside, and no helper process: a second thread of the caller runs on while a proof is searched.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from claude_comm.schema.containment.check import check as pure_check
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.evolution.adapt import Proposal
from claude_comm.schema.evolution.adapt import adapt as pure_adapt
from claude_comm.schema.evolution.diff import Difference
from claude_comm.schema.evolution.diff import diff as pure_diff
from claude_comm.schema.verdict import Json, Policy, Verdict


def check(
    produced: Json,
    accepted: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
) -> Verdict:
    """Whether every message of `produced` is one of `accepted`, within `budget_ms` milliseconds of real time."""
    return pure_check(
        produced, accepted, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect, clock=time.monotonic
    )


def diff(old: Json, new: Json, *, policy: Policy, budget_ms: float, default_dialect: Dialect) -> Difference:
    """What changed from `old` to `new`; all its proofs together take `budget_ms` milliseconds of real time."""
    return pure_diff(
        old, new, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect, clock=time.monotonic
    )


def adapt(
    produced: Json,
    accepted: Json,
    *,
    aliases: Mapping[str, Sequence[str]] | None,
    policy: Policy,
    budget_ms: float,
    default_dialect: Dialect,
) -> tuple[Proposal, ...]:
    """Adapters from `produced` to `accepted`; all proofs together take `budget_ms` milliseconds of real time."""
    return pure_adapt(
        produced,
        accepted,
        aliases=aliases,
        policy=policy,
        budget_ms=budget_ms,
        default_dialect=default_dialect,
        clock=time.monotonic,
    )

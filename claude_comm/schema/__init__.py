"""The schema algebra: can every message that one module sends be accepted by another?

The front door. `check`, `diff` and `adapt` here are bounded in real time; the pure ones, which count steps unless they
are given a clock, are in the modules of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import claude_comm.schema.containment.check

# First the modules of these names: Python would bind them here whenever they are first imported, over the functions.
import claude_comm.schema.evolution.adapt
import claude_comm.schema.evolution.diff  # noqa: F401
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.evolution.adapt import Proposal
from claude_comm.schema.evolution.adapter import apply
from claude_comm.schema.evolution.diff import Difference
from claude_comm.schema.evolution.infer import infer
from claude_comm.schema.explain import explain
from claude_comm.schema.verdict import Compatible, Incompatible, Json, Policy, Reason, Undecided, Verdict

__all__ = [
    "Compatible",
    "Incompatible",
    "Reason",
    "Undecided",
    "Verdict",
    "adapt",
    "apply",
    "check",
    "diff",
    "explain",
    "infer",
]


def check(
    produced: Json,
    accepted: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
) -> Verdict:
    """Whether every message of `produced` is one of `accepted`, within about `budget_ms` of real time.

    Raises `SchemaError` for a schema that cannot be used, and nothing else.
    """
    # The clock lives three floors up; importing the engine does not import it.
    from claude_comm.transport.schema_clock import check as guarded

    return guarded(produced, accepted, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect)


def diff(
    old: Json,
    new: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
) -> Difference:
    """What changed from `old` to `new`, and for whom; all its proofs together take about `budget_ms` of real time.

    Raises `SchemaError` for a schema that cannot be used, and nothing else.
    """
    from claude_comm.transport.schema_clock import diff as guarded

    return guarded(old, new, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect)


def adapt(
    produced: Json,
    accepted: Json,
    *,
    aliases: Mapping[str, Sequence[str]] | None = None,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
) -> tuple[Proposal, ...]:
    """Adapters from `produced` to `accepted`, the best first; all proofs together take about `budget_ms` of real time.

    Raises `SchemaError` for a schema that cannot be used, and nothing else.
    """
    from claude_comm.transport.schema_clock import adapt as guarded

    return guarded(
        produced, accepted, aliases=aliases, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect
    )


def __dir__() -> list[str]:
    return __all__

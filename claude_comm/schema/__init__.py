"""The schema algebra: can every message that one module sends be accepted by another?

The front door. `check` here is bounded in real time; the pure one, which counts steps, is `claude_comm.schema.check`.
"""

from __future__ import annotations

# First the module of that name: Python would bind it here whenever it is first imported, over the function below.
import claude_comm.schema.check  # noqa: F401
from claude_comm.schema.adapt import adapt
from claude_comm.schema.adapter import apply
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.diff import diff
from claude_comm.schema.explain import explain
from claude_comm.schema.infer import infer
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
    from claude_comm.drive.guard import check as guarded

    return guarded(produced, accepted, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect)


def __dir__() -> list[str]:
    return __all__

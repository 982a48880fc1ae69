"""`check`, `diff` and `adapt`, bounded in real time: this file alone of the engine reads the clock.

The pure ones, which count steps unless they are given a clock, are in the modules of the same names.

Law: the engine asks its budget at every step of a proof; what it cannot interrupt (compiling, canonical forms,
validating) it estimates first, and leaves out where that might take long. So a clock is all that it needs from outside,
and no helper process: a second thread of the caller runs on while a proof is searched.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from claude_comm.schema.arguments import check_aliases, check_options
from claude_comm.schema.containment.check import check as pure_check
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.evolution.adapt import Proposal
from claude_comm.schema.evolution.adapt import adapt as pure_adapt
from claude_comm.schema.evolution.diff import Difference
from claude_comm.schema.evolution.diff import diff as pure_diff
from claude_comm.schema.normalform.bundle import bundle
from claude_comm.schema.verdict import Json, Policy, Verdict


def check(
    produced: Json,
    accepted: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    documents: Mapping[str, Json] | None = None,
    name_empty_forms: bool = False,
) -> Verdict:
    """Whether every message of `produced` is one of `accepted`, within about `budget_ms` of real time.

    `documents` are the schemas that references point to, by address; nothing is ever fetched. With `name_empty_forms`
    the verdict names the branches of `anyOf` and `oneOf` that no value fits; this often takes longer than the verdict
    itself. Raises `SchemaError` for a schema that cannot be used, and ConfigurationError for another argument.
    """
    check_options(policy, budget_ms, default_dialect, documents)
    produced, accepted = _whole(documents, default_dialect, produced, accepted)
    return pure_check(
        produced,
        accepted,
        policy=policy,
        budget_ms=budget_ms,
        default_dialect=default_dialect,
        clock=time.monotonic,
        name_empty_forms=name_empty_forms,
    )


def diff(
    old: Json,
    new: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    documents: Mapping[str, Json] | None = None,
) -> Difference:
    """What changed from `old` to `new`, and for whom; all its proofs together take about `budget_ms` of real time.

    `documents` are the schemas that references point to, by address; nothing is ever fetched. Raises
    `SchemaError` for a schema that cannot be used, and ConfigurationError for another argument.
    """
    check_options(policy, budget_ms, default_dialect, documents)
    old, new = _whole(documents, default_dialect, old, new)
    return pure_diff(
        old, new, policy=policy, budget_ms=budget_ms, default_dialect=default_dialect, clock=time.monotonic
    )


def adapt(
    produced: Json,
    accepted: Json,
    *,
    aliases: Mapping[str, Sequence[str]] | None = None,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    documents: Mapping[str, Json] | None = None,
    unadapted: Verdict | None = None,
) -> tuple[Proposal, ...]:
    """Adapters from `produced` to `accepted`, the best first; all proofs together take about `budget_ms` of real time.

    `documents` are the schemas that references point to, by address; nothing is ever fetched. Raises
    `SchemaError` for a schema that cannot be used, and ConfigurationError for another argument.
    """
    check_aliases(aliases)
    check_options(policy, budget_ms, default_dialect, documents)
    produced, accepted = _whole(documents, default_dialect, produced, accepted)
    return pure_adapt(
        produced,
        accepted,
        aliases=aliases,
        unadapted=unadapted,
        policy=policy,
        budget_ms=budget_ms,
        default_dialect=default_dialect,
        clock=time.monotonic,
    )


def _whole(
    documents: Mapping[str, Json] | None, default_dialect: Dialect, first: Json, second: Json
) -> tuple[Json, Json]:
    """Two schemas with what they refer to."""
    given = documents or {}
    return bundle(first, given, default_dialect=default_dialect), bundle(second, given, default_dialect=default_dialect)

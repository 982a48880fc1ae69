"""Can every message that one schema allows be accepted by another?

Law: `Compatible` only from a proof, `Incompatible` only with a witness that two validators confirm; else `Undecided`
with the place and what made it hard. Nothing but `SchemaError` is raised, and only for a schema that cannot be used.
"""

from __future__ import annotations

from collections.abc import Callable

from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.canonical import proves
from claude_comm.schema.close import close
from claude_comm.schema.confirm import Side, confirmed, separates, side
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.limits import measure
from claude_comm.schema.normal import Document, normalise
from claude_comm.schema.outcome import Empty, Hard
from claude_comm.schema.prove import refute
from claude_comm.schema.reasons import distinct
from claude_comm.schema.refusals import refusals
from claude_comm.schema.sample import candidates, harvest
from claude_comm.schema.sentences import Refusal
from claude_comm.schema.verdict import Compatible, Incompatible, Json, Policy, Undecided, Verdict

MAX_CANDIDATES = 2_000


def check(
    produced: Json,
    accepted: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    clock: Callable[[], float] | None = None,
) -> Verdict:
    """Whether every message of `produced` is one of `accepted`; raises `SchemaError` for an unusable schema."""
    ours, theirs = _prepare(produced, default_dialect), _prepare(accepted, default_dialect)
    left = close(ours) if policy == "closed-producer" else ours
    exact = not (left.opaque or theirs.opaque or left.lexical or theirs.lexical)
    if exact and proves(left.schema, theirs.schema, DEFAULT):
        return Compatible(proof="canonical forms")
    written = (produced, dialect_of(produced, default_dialect)) if left is ours else (left.schema, DEFAULT)
    sides = side(*written), side(accepted, dialect_of(accepted, default_dialect))
    why = "neither a proof nor a message that breaks it was found."
    try:
        outcome = refute(left, theirs, Budget(budget_ms, clock))
        if isinstance(outcome, Empty):
            return Compatible(proof="no message of the difference")
        if isinstance(outcome, Hard):
            why = outcome.why
        elif separates(*sides, outcome.value) and confirmed(*sides, outcome.value):
            found = refusals(sides[1].rust.iter_errors(outcome.value))
            return Incompatible(witness=outcome.value, reasons=distinct(found))
        else:
            why = "the validators do not confirm the message that was found."
    except OutOfBudget:
        why = "budget"
    return _search(left, theirs, *sides) or Undecided(place="", why=why)


def _prepare(schema: Json, default: Dialect) -> Document:
    measure(schema)
    dialect = dialect_of(schema, default)
    side(schema, dialect)
    return normalise(schema, dialect)


def _search(left: Document, right: Document, produced: Side, accepted: Side) -> Incompatible | None:
    witness: list[Json] = []
    broken: list[Refusal] = []
    for count, candidate in enumerate(candidates(left.schema, harvest(left.schema, right.schema))):
        if count >= MAX_CANDIDATES:
            break
        if separates(produced, accepted, candidate):
            if not witness and not confirmed(produced, accepted, candidate):
                continue
            witness = witness or [candidate]
            broken += refusals(accepted.rust.iter_errors(candidate))
    return Incompatible(witness=witness[0], reasons=distinct(broken)) if witness else None

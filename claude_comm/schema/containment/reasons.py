"""From refusals to reasons: what the producer may send, what the consumer needs, and how either could mend it.

Law: every sentence is true of a message that breaks the consumer, names the property as a person would, and says what
the producer may send and what the consumer needs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence

import jsonschema_rs

from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.containment.confirm import Side, separates
from claude_comm.schema.cost.validation_cost import quick_cost
from claude_comm.schema.pointer import pointer
from claude_comm.schema.solver.result import Candidates
from claude_comm.schema.validation.errors import errors, refusals
from claude_comm.schema.validation.phrases import Refusal, actual, needed, place, shown, subject
from claude_comm.schema.verdict import Incompatible, Json, Reason


def explained(left: Side, right: Side, witness: Json, others: Candidates, budget: Budget) -> Incompatible:
    """The verdict for a confirmed witness, with every reason: also those that only other messages show."""
    shown = [witness]
    # Where the budget ends it the verdict stands; only reasons are missing, and the first ones are the plainest.
    with contextlib.suppress(OutOfBudget):
        shown.extend(breaking(left, right, others, budget))
    return incompatible(right, shown, budget)


def breaking(
    left: Side, right: Side, candidates: Candidates, budget: Budget, limit: int | None = None
) -> Iterator[Json]:
    """Those of the first candidates that break the consumer; each is answered before the next is asked for."""
    try:
        message = next(candidates)
        for _ in itertools.count() if limit is None else range(limit):
            breaks = separates(left, right, message, budget.tick)
            if breaks:
                yield message
            message = candidates.send(breaks)
    except StopIteration:
        return


def as_candidates(messages: Iterable[Json]) -> Candidates:
    """Messages as candidates that do not depend on the answers."""
    for message in messages:
        _ = yield message


def incompatible(right: Side, shown: Sequence[Json], budget: Budget) -> Incompatible:
    """The verdict for messages that break the consumer, the first of them a confirmed witness."""
    found: list[Refusal] = []
    with contextlib.suppress(OutOfBudget):
        for message in shown:
            found += refusals(_errors(right, message))
            # All errors of one message take up to a second, if the schema is large; the witness has its own by then.
            budget.look()
    return Incompatible(witness=shown[0], reasons=distinct(found))


def _errors(right: Side, message: Json) -> Iterable[jsonschema_rs.ValidationError]:
    small = quick_cost(right.document, message) is not None
    return errors(right.rust, message, "all" if small else right.error_cost.named(message))


def reason(refusal: Refusal) -> Reason:
    """One refusal as a reason."""
    return Reason(
        path=place(refusal.path),
        schema_path=pointer(refusal.schema_path),
        rule=refusal.rule,
        sentence=_sentence(refusal),
        mends=_mends(refusal),
    )


def distinct(refusals: Iterable[Refusal]) -> tuple[Reason, ...]:
    """One reason for each keyword of the accepting schema, in the order found; items of an array count once."""
    reasons: dict[tuple[object, ...], Reason] = {}
    for refusal in refusals:
        about = shown(refusal.limit) if refusal.rule in _NAMED else None
        key = (refusal.schema_path, tuple(["*" if isinstance(s, int) else s for s in refusal.path]), about)
        if key not in reasons:
            reasons[key] = reason(refusal)
    return tuple(reasons.values())


# Each names a property: another one is another reason.
_NAMED = keywords.FURTHER_PROPERTIES | {"required"}


def _sentence(refusal: Refusal) -> str:
    name, rule, limit = subject(refusal.path), refusal.rule, refusal.limit
    if rule == "required":
        return f"{subject((*refusal.path, limit))} may be missing; the consumer requires it"
    if rule in keywords.FURTHER_PROPERTIES:
        return f"{name} may be present; the consumer allows no such property"
    if rule == "false schema":
        return f"{name} may be present; the consumer allows nothing there"
    return f"{name} may be {actual(rule, limit, refusal.value)}; the consumer needs {needed(rule, limit)}"


def _mends(refusal: Refusal) -> tuple[str, ...]:
    rule, limit, name = refusal.rule, refusal.limit, subject(refusal.path)
    if rule == "required":
        field = subject((*refusal.path, limit))
        return (f"producer: declare {field} and require it", f"consumer: make {field} optional, or give it a default")
    if rule in keywords.FURTHER_PROPERTIES:
        return (f"producer: stop declaring {name}", f"consumer: declare {name}, or allow additional properties")
    if rule == "type":
        return (f"producer: make {name} {needed(rule, limit)}", f"consumer: accept {_article(refusal)} for {name}")
    if rule in {"const", "enum"}:
        return (
            f"producer: send only {needed(rule, limit)} as {name}",
            f"consumer: accept {shown(refusal.value)} for {name}",
        )
    if limit is not None and rule in _TIGHTEN:
        return (f"producer: declare `{rule}: {shown(limit)}` on {name}", f"consumer: relax `{rule}` on {name}")
    return (f"producer: narrow {name} until `{rule}` holds", f"consumer: relax `{rule}` on {name}")


def _article(refusal: Refusal) -> str:
    return actual(refusal.rule, refusal.limit, refusal.value)


# What the producer may declare as the consumer does. Without `contains` beside it a count of its items says nothing.
_TIGHTEN = {"multipleOf", "pattern", "format", *keywords.names(lambda row: row.bound != 0)} - {*keywords.TOGETHER[1]}

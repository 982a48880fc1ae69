"""From refusals to reasons: what the producer may send, what the consumer needs, and how either could mend it.

Law: every sentence is true of a message that breaks the consumer, names the property as a person would, and says what
the producer may send and what the consumer needs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Container, Iterable, Iterator, Sequence

import jsonschema_rs

from claude_comm.schema import keywords
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.containment.confirm import Side, confirmed, separates
from claude_comm.schema.cost.validation_cost import quick_cost
from claude_comm.schema.kept import kept
from claude_comm.schema.pointer import pointer
from claude_comm.schema.solver.result import Candidates
from claude_comm.schema.validation.errors import errors, refusals
from claude_comm.schema.validation.phrases import Refusal, actual, need_of, needed, place, shown, subject
from claude_comm.schema.validation.union_needs import SEVERAL
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Incompatible, Json, Reason


def explained(left: Side, right: Side, witness: Json, others: Candidates, budget: Budget) -> Incompatible:
    """The verdict for a confirmed witness, with every reason: also those that only other messages show."""
    readable = renamed(witness)
    shown = [readable if readable is not witness and confirmed(left, right, readable, budget.tick) else witness]
    # Where the budget ends it the verdict stands; only reasons are missing, and the first ones are the plainest.
    with contextlib.suppress(OutOfBudget):
        shown.extend(breaking(left, right, others, budget))
    return incompatible(left, right, shown, budget)


def breaking(
    left: Side, right: Side, candidates: Candidates, budget: Budget, limit: int | None = None
) -> Iterator[Json]:
    """Those of the first candidates that break the consumer; each is answered before the next is asked for."""
    try:
        message = next(candidates)
        for _ in itertools.count() if limit is None else range(limit):
            breaks = separates(left, right, message, budget.tick)
            if breaks:
                readable = renamed(message) if b'"":' in text(message) else message
                separated = readable is not message and separates(left, right, readable, budget.tick)
                yield readable if separated else message
            message = candidates.send(breaks)
    except StopIteration:
        return


def renamed(message: Json) -> Json:
    """A message with `key` for each name that is the empty text, which nobody reads; the same one if it has none."""
    if isinstance(message, list):
        items = [renamed(item) for item in message]
        return items if any(new is not old for new, old in zip(items, message, strict=True)) else message
    if not isinstance(message, dict):
        return message
    members = {(name or _READABLE if _READABLE not in message else name): renamed(message[name]) for name in message}
    same = members.keys() == message.keys() and all(members[name] is message[name] for name in message)
    return message if same else members


_READABLE = "key"


def as_candidates(messages: Iterable[Json]) -> Candidates:
    """Messages as candidates that do not depend on the answers."""
    for message in messages:
        _ = yield message


def incompatible(left: Side, right: Side, shown: Sequence[Json], budget: Budget) -> Incompatible:
    """The verdict for messages that break the consumer, the first of them a confirmed witness."""
    reasons: list[Refusal] = []
    with contextlib.suppress(OutOfBudget):
        for message in shown:
            reasons += refusals(_errors(right, message), message, right.schema)
            # All errors of one message take up to a second, if the schema is large; the witness has its own by then.
            budget.look()
    return Incompatible(witness=shown[0], reasons=distinct(reasons, Declared(left)) or (_UNNAMED,))


class Declared:
    """The names of properties that a producer declares, gathered when the first is asked for."""

    def __init__(self, left: Side) -> None:
        self.left = left

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @kept
    def names(self) -> set[str]:
        schemas = keywords.schemas(self.left.document.schema)
        return {name for schema in schemas for name in schema.get("properties", ())}


def _errors(right: Side, message: Json) -> Iterable[jsonschema_rs.ValidationError]:
    small = quick_cost(right.document, message) is not None
    return errors(right.rust_for(message), message, "all" if small else right.error_cost.named(message))


def reason(refusal: Refusal) -> Reason:
    """One refusal as a reason."""
    return Reason(
        path=place(refusal.path),
        schema_path=pointer(refusal.schema_path),
        rule=refusal.rule,
        sentence=_sentence(refusal),
        mends=_mends(refusal),
    )


def distinct(refusals: Iterable[Refusal], declared: Container[str] = ()) -> tuple[Reason, ...]:
    """One reason for each keyword and place, in the order found.

    Items of an array count once, and so do the members of a map that nobody `declared`, and what a recursion repeats:
    of places below each other the outermost.
    """
    found = list(refusals)
    if len(found) == 1:
        return (reason(found[0]),)
    places: list[tuple[tuple[object, ...], tuple[str, ...], Refusal]] = []
    for refusal in found:
        key = (refusal.schema_path, _about(refusal, declared))
        path = _place(refusal, declared)
        same = [at for at, (other, _, _) in enumerate(places) if other == key]
        if any(_repeats(path, places[at][1]) for at in same):
            continue
        outer = next((at for at in same if _repeats(places[at][1], path)), None)
        if outer is None:
            places.append((key, path, refusal))
        else:
            places[outer] = (key, path, refusal)
    return tuple(reason(refusal) for _, _, refusal in places)


def _about(refusal: Refusal, declared: Container[str]) -> str | None:
    """The property that a reason is about, where another one would be another reason."""
    if refusal.rule not in _NAMED or (refusal.rule != "required" and refusal.limit not in declared):
        return None
    return shown(refusal.limit)


def _place(refusal: Refusal, declared: Container[str]) -> tuple[str, ...]:
    """The path of a refusal, with `*` for each item and for each name that only stands for the members of a map."""
    path = ["*" if isinstance(step, int) else step for step in refusal.path]
    if _MAPS.isdisjoint(refusal.schema_path):
        return tuple(path)
    holds: keywords.Holds = "schema"
    applied: list[str] = []
    for step in map(str, refusal.schema_path):
        if holds == "schema" and step in _ENTERED:
            applied.append(step)
        holds = keywords.member(holds, step)
    # Counted from the end: what stands before a reference is not in the path of the schema.
    for at, keyword in zip(reversed(range(len(path))), reversed(applied), strict=False):
        if keyword in _MAPS and path[at] not in declared:
            path[at] = "*"
    return tuple(path)


def _repeats(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    """Whether a place is the same as another one, or that one again some levels further down."""
    if len(inner) <= len(outer):
        return inner == outer
    return any(
        inner[:at] == outer[:at] and inner[len(inner) - len(outer) + at :] == outer[at:] for at in range(len(outer))
    )


# Where no run of the validator named a place within its bounds.
_UNNAMED = Reason(
    path="$",
    schema_path="",
    rule="schema",
    sentence="the message does not fit the consumer's schema; the two are too large together to name the place",
)
# Each names a property: another one is another reason.
_NAMED = keywords.FURTHER_PROPERTIES | {"required"}
# What describes the members of an object that it does not name; and what leads from a value to one of its members.
_MAPS = keywords.FURTHER_PROPERTIES | {"patternProperties"}
_ENTERED = frozenset(keywords.names(lambda row: row.applies in ("member", "members")))


def _sentence(refusal: Refusal) -> str:
    name, rule, limit = subject(refusal.path), refusal.rule, refusal.limit
    if rule == "required":
        return f"{subject((*refusal.path, limit))} may be missing; the consumer requires it"
    if rule in keywords.FURTHER_PROPERTIES and not refusal.need:
        return f"{name} may be present; the consumer allows no such property"
    if rule == "false schema":
        return f"{name} may be present; the consumer allows nothing there"
    return f"{name} may be {actual(rule, limit, refusal.value)}; the consumer needs {need_of(refusal)}"


def _mends(refusal: Refusal) -> tuple[str, ...]:
    rule, limit, name = refusal.rule, refusal.limit, subject(refusal.path)
    if rule == "required":
        field = subject((*refusal.path, limit))
        return (f"producer: declare {field} and require it", f"consumer: make {field} optional, or give it a default")
    if rule in keywords.FURTHER_PROPERTIES and not refusal.need:
        return (f"producer: stop declaring {name}", f"consumer: declare {name}, or allow additional properties")
    if rule == "false schema":
        return (f"producer: stop sending {name}", f"consumer: allow {name}")
    if rule in keywords.UNIONS and refusal.need and refusal.need != SEVERAL:
        return (f"producer: send nothing else as {name}", f"consumer: accept {shown(refusal.value)} for {name}")
    if rule == "type":
        return (f"producer: make {name} {needed(rule, limit)}", f"consumer: accept {_article(refusal)} for {name}")
    if rule in {"const", "enum"}:
        return (
            f"producer: send only {needed(rule, limit).removeprefix('exactly ')} as {name}",
            f"consumer: accept {shown(refusal.value)} for {name}",
        )
    if rule in _TIGHTEN:
        return (f"producer: declare `{rule}: {shown(limit)}` on {name}", f"consumer: relax `{rule}` on {name}")
    return (f"producer: narrow {name} until `{rule}` holds", f"consumer: relax `{rule}` on {name}")


def _article(refusal: Refusal) -> str:
    return actual(refusal.rule, refusal.limit, refusal.value)


# What the producer may declare as the consumer does. Without `contains` beside it a count of its items says nothing.
_TIGHTEN = {"multipleOf", "pattern", "format", *keywords.names(lambda row: row.bound != 0)} - {*keywords.TOGETHER[1]}

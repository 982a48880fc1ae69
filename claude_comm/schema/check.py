"""Can every message that one schema allows be accepted by another?

Law: `Compatible` only from a proof, `Incompatible` only with a witness that two validators confirm; else `Undecided`
with the place and what made it hard. Nothing but `SchemaError` is raised, and only for a schema that cannot be used.

The stages, each for what the one before left open: the few values of a constant or an enumeration are looked at; the
canonical forms of `jsonschema-rs` may prove it; the project's own prover proves it or finds a message; and last,
messages are guessed from the boundary values of both schemas.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable

import msgspec

from claude_comm.schema import canonical, confirm
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.close import close
from claude_comm.schema.confirm import Side
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.effort import circular
from claude_comm.schema.languages import watching
from claude_comm.schema.limits import measure
from claude_comm.schema.normal import normalise
from claude_comm.schema.outcome import Empty, Found, Hard
from claude_comm.schema.places import place_of
from claude_comm.schema.prove import Question, refute
from claude_comm.schema.reasons import explained, gather, told
from claude_comm.schema.sample import candidates, harvest
from claude_comm.schema.verdict import Compatible, Json, Policy, Undecided, Verdict

MAX_LISTED = 200
# Schemas of up to this many characters are kept ready: a module asks about the same ones again and again.
MAX_KEPT = 32_768
MAX_GUESSES = 400
# Keywords that are put to the prover one by one before it is asked about all of them at once, which costs more where
# there is a message and less where there is none.
PATIENCE = 6
_AS_WRITTEN: Policy = "strict"


def check(
    produced: Json,
    accepted: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    clock: Callable[[], float] | None = None,
) -> Verdict:
    """Whether every message of `produced` is one of `accepted`; raises `SchemaError` for an unusable schema.

    `clock` answers in seconds; without one the budget is counted in steps, and the verdict is the same on every
    machine. `default_dialect` is for schemas without a `$schema`.
    """
    budget, sides = Budget(budget_ms, clock), list[Side]()
    try:
        for schema, under in ((produced, policy), (accepted, _AS_WRITTEN)):
            sides.append(_side(schema, default_dialect, under, budget.look))
        left, right = sides
        with watching(budget.tick):
            return _settle(left, right, budget)
    except OutOfBudget:
        if len(sides) < 2:
            name = "accepted" if sides else "produced"
            return Undecided(place="", why=f"the {name} schema is too large to be made ready within {budget_ms:g} ms.")
        return Undecided(place="", why=f"not settled within {budget_ms:g} ms.")
    except RecursionError:
        return Undecided(place="", why="the schemas are nested too deep to be followed.")


def _side(schema: Json, default: Dialect, policy: Policy, look: Callable[[], None]) -> Side:
    """One schema made ready: under `closed-producer`, its messages are those of the closed schema."""
    size = measure(schema)
    if size.characters > MAX_KEPT:
        return _made(schema, default, policy, look)
    # The text tells 1 from 1.0 and true, which a dictionary would not.
    return _kept(_text(schema), default, policy)


def _text(schema: Json) -> bytes:
    """The schema as JSON; what the fast encoder does not take (integers past 64 bits, surrogates) the slow one does."""
    try:
        return msgspec.json.encode(schema)
    except (OverflowError, UnicodeEncodeError, msgspec.MsgspecError):
        return json.dumps(schema).encode()


@functools.lru_cache(maxsize=256)
def _kept(text: bytes, default: Dialect, policy: Policy) -> Side:
    return _made(msgspec.json.decode(text), default, policy, lambda: None)


def _made(schema: Json, default: Dialect, policy: Policy, look: Callable[[], None]) -> Side:
    """`look` is called between stages that take up to a tenth of a second each, for the largest of schemas."""
    dialect = dialect_of(schema, default)
    look()
    rust = confirm.compile_side(schema, dialect)
    look()
    document = normalise(schema, dialect)
    look()
    if policy == "strict":
        return Side(schema, dialect, document, rust, canonical.form(document))
    written = Side(schema, dialect, document, rust) if document.opaque or document.lexical else None
    document = close(document)
    look()
    rust = confirm.compile_side(document.schema, DEFAULT)
    look()
    return Side(document.schema, DEFAULT, document, rust, canonical.form(document), written)


def _settle(left: Side, right: Side, budget: Budget) -> Verdict:
    for side, name in ((left, "produced"), (right, "accepted")):
        circle = circular(side.document)
        if circle is not None:
            place = side.document.origins.get(circle, "")
            return Undecided(
                place=place, why=f"the {name} schema has a reference back to itself that consumes nothing."
            )
    listed = _listed(left, right, budget)
    if listed is not None:
        return listed
    opinion = canonical.proves(left.canonical, right.canonical)
    if opinion is True:
        return Compatible(proof="canonical forms")
    question = Question(left.document, right.document, budget)
    broken = _broken(left, right, question, budget)
    if broken is not None:
        return broken
    outcome = refute(question, budget)
    if isinstance(outcome, Empty):
        if opinion is False:
            return Undecided(place="", why="the two provers contradict each other; please report this pair of schemas.")
        return Compatible(proof="no message in the difference")
    if isinstance(outcome, Found) and confirm.confirmed(left, right, outcome.value, budget.tick):
        return explained(left, right, outcome.value, question.breaking, budget)
    guess = _guess(left, right, budget)
    if guess is not None:
        return explained(left, right, guess, lambda _: (), budget)
    if isinstance(outcome, Hard):
        place = place_of(outcome.keyword, right.schema, left.schema) if outcome.keyword else ""
        return Undecided(place=place, why=f"{outcome.why}.")
    return Undecided(place="", why="a message was found that may break it, and the validators do not agree on it.")


def _broken(left: Side, right: Side, question: Question, budget: Budget) -> Verdict | None:
    """The verdict where the consumer's keywords, each broken on its own, give messages: the smallest is the witness."""
    shown: list[Json] = []
    try:
        gather(left, right, shown, question.breaking(shown, PATIENCE), budget)
    except OutOfBudget:
        if not shown:
            raise
    # Sorting is stable: of equally small ones the first keyword's.
    shown.sort(key=lambda message: len(_text(message)))
    for index, witness in enumerate(shown):
        if confirm.confirmed(left, right, witness, budget.tick):
            return told(right, [witness, *shown[:index], *shown[index + 1 :]])
    return None


def _listed(left: Side, right: Side, budget: Budget) -> Verdict | None:
    """The verdict where the producer's schema lists its messages: both validators look at each of them."""
    schema = left.document.schema
    if not isinstance(schema, dict) or right.document.lexical or left.document.lexical:
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is None or len(values) > MAX_LISTED:
        return None
    said = [(confirm.accepts(left, value, budget.tick), confirm.accepts(right, value, budget.tick)) for value in values]
    breaking = [value for value, (sent, taken) in zip(values, said, strict=True) if sent and taken is False]
    if breaking:
        return explained(left, right, breaking[0], lambda _: breaking[1:], budget)
    if all(sent is False or (sent and taken) for sent, taken in said):
        return Compatible(proof="every message looked at")
    return None


def _guess(left: Side, right: Side, budget: Budget) -> Json | None:
    found = harvest(left.document.schema, right.document.schema)
    for candidate in itertools.islice(candidates(left.document.schema, found, budget.tick), MAX_GUESSES):
        if confirm.separates(left, right, candidate, budget.tick) and confirm.confirmed(
            left, right, candidate, budget.tick
        ):
            return candidate
    return None

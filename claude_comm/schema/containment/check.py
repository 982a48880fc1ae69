"""Can every message that one schema allows be accepted by another?

Law: `Compatible` only from a proof, `Incompatible` only with a witness that two validators confirm; else `Undecided`
with the place and what made it hard. Nothing but `SchemaError` is raised, and only for a schema that cannot be used.

The stages, each for what the stage before left open:

1. A producer that lists its messages (`const`, `enum`): both validators check each of them.
2. The residual of the consumer's schema: if nothing remains, that is a proof; else a witness is searched where
   something remains (`guided_witness`).
3. The canonical forms of `jsonschema-rs` may prove it.
4. The prover of this project proves it or finds a message, keyword by keyword first and then as a whole.
5. Boundary values of both schemas are tried as messages.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.budget import Budget, BudgetShare, OutOfBudget, OutOfPart
from claude_comm.schema.containment import canonical, confirm
from claude_comm.schema.containment.alike import alike, bare
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.emptiness import is_empty
from claude_comm.schema.containment.empty_forms import empty_forms
from claude_comm.schema.containment.guided_witness import GuidedSearch
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance
from claude_comm.schema.containment.reasons import as_candidates, breaking, explained, incompatible
from claude_comm.schema.containment.residual import TooManyComparisons, residual
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.cost.validation_cost import circular
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.keywords import place_of
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.opaque import code_in
from claude_comm.schema.regex.language import watching
from claude_comm.schema.solver.difference import SchemaPair, refute
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Compatible, Impossible, Incompatible, Json, Policy, Undecided, Verdict

MAX_LISTED = 200
MAX_GUESSES = 400
# Keywords that are put to the prover one by one before it is asked about all of them at once, which costs more where
# there is a message and less where there is none.
PATIENCE = 6

# Why a proof is not worth an agreement.
NOTHING_SENT = "no message fits the producer's schema: it can send nothing"
# Why no producer would do.
NOTHING_TAKEN = "no message fits the consumer's schema: it accepts none"
# Steps of a search for a message that the consumer accepts, and of a proof for a producer as it was written.
TAKEN_STEPS, WRITTEN_STEPS = 400, 400
# Steps of the search that the residual guides, and the messages that it may propose.
GUIDED_STEPS = 8_000
MAX_GUIDED = 60
# What is kept of the budget for confirming a message that was found, while further ones are searched for their reasons.
CONFIRMING = 1 / 2


def check(
    produced: Json,
    accepted: Json,
    *,
    policy: Policy = "closed-producer",
    budget_ms: float = 2_000,
    default_dialect: Dialect = DEFAULT,
    clock: Callable[[], float] | None = None,
    name_empty_forms: bool = False,
) -> Verdict:
    """Whether every message of `produced` is one of `accepted`; raises `SchemaError` for an unusable schema.

    `clock` answers in seconds; without one the budget is counted in steps, and the verdict is the same on every
    machine. `default_dialect` is for schemas without a `$schema`. With `name_empty_forms` the verdict names forms of
    unions that can never be, which takes longer than many a verdict.
    """
    sides: list[Side] = []
    budget = Budget(budget_ms, clock)
    try:
        sides.append(side_of(produced, default_dialect, budget.look))
        sides.append(side_of(accepted, default_dialect, budget.look))
        left, right = sides
        with watching(budget.tick):
            closed = policy == "closed-producer"
            verdict = _said_whether_refused(_settle(left, right, closed, budget), right, budget)
            return _with_empty_forms(verdict, left, right, closed, budget) if name_empty_forms else verdict
    except SchemaError as error:
        if len(sides) < 2:
            raise
        # Closing adds keywords that are compiled along references, of which there may be too many.
        return Undecided(place="", why=f"a message cannot be put to the closed form of the produced schema: {error}")
    except OutOfBudget:
        if len(sides) < 2:
            name = "accepted" if sides else "produced"
            return Undecided(place="", why=f"the {name} schema is too large to be made ready within {budget_ms:g} ms.")
        return Undecided(place="", why=f"not settled within {budget_ms:g} ms.")
    except RecursionError:
        return Undecided(place="", why="the schemas are nested too deep to be followed.")


def _said_whether_refused(verdict: Verdict, right: Side, budget: Budget) -> Verdict:
    """The verdict, which says so where the consumer refuses whatever is sent."""
    if isinstance(verdict, Incompatible) and is_empty(right, budget, steps=TAKEN_STEPS):
        return msgspec.structs.replace(verdict, refuses_all=NOTHING_TAKEN)
    return verdict


def _with_empty_forms(verdict: Verdict, left: Side, right: Side, closed: bool, budget: Budget) -> Verdict:
    """The verdict, which names the forms of unions that can never be."""
    if not isinstance(verdict, Compatible | Incompatible):
        return verdict
    if (isinstance(verdict, Incompatible) and verdict.refuses_all) or (
        isinstance(verdict, Compatible) and verdict.vacuous
    ):
        return verdict
    forms = empty_forms(left, budget, accepted=False, closed=closed), empty_forms(right, budget, accepted=True)
    return msgspec.structs.replace(verdict, empty_forms=forms[0] + forms[1]) if any(forms) else verdict


def _settle(produced: Side, right: Side, closed: bool, budget: Budget) -> Verdict:
    for side, name in ((produced, "produced"), (right, "accepted")):
        circle = circular(side.document)
        if circle is not None:
            place = side.document.origins.get(circle, "")
            return Undecided(
                place=place, why=f"the {name} schema has a reference back to itself that consumes nothing."
            )
    listed = _listed(produced, right, closed, budget)
    if listed is not None:
        return listed
    unclosed = rest = residual(produced.document, right.document, budget.look)
    left = produced
    # Closing only takes away: what is proved of the schema as it was written needs no closed form, and what remains of
    # the consumer's is in what remained before.
    if closed and rest is not True:
        left = produced.closed
        budget.look()
        rest = residual(left.document, right.document, budget.look, unclosed)
    if rest is True:
        return _proved(produced, closed, "keyword by keyword", budget)
    if produced.dialect == right.dialect and alike(produced.schema, right.schema) and code_in(right.schema) is None:
        # Also where it holds what no normal form says.
        return _proved(produced, closed, "the same schema", budget)
    # What is dropped here only makes the producer's messages more: a proof holds, and a witness is confirmed by all.
    spare = left.document.spare
    outcome: Verdict | str = ""
    written = (produced, unclosed) if closed else None
    if spare is not None:
        outcome = _searched(left, right, spare, rest, budget, written)
    if spare is None or isinstance(outcome, Undecided):
        outcome = _searched(left, right, left.document, rest, budget, written)
    return _proved(produced, closed, outcome, budget) if isinstance(outcome, str) else outcome


def _searched(
    left: Side, right: Side, sent: Document, rest: Json, budget: Budget, written: tuple[Side, Json] | None
) -> Verdict | str:
    """The verdict by search, or the name of the proof, for the producer's messages as `sent` describes them.

    `written` is the producer before closing, of which a proof holds as well, and its residual.
    """
    guided = _guided(left, right, sent, rest, budget)
    if guided is not None:
        return guided
    opinion = canonical.proves(left.canonical, right.canonical)
    if opinion is True or (written is not None and canonical.proves(written[0].canonical, right.canonical) is True):
        return "canonical forms"
    if written is not None:
        document, unclosed = written[0].document, written[1]
        if _refuted_soon(document, right.document, budget):
            return "no message in the difference"
        # Most messages that break the consumer have declared properties alone: both validators look at each of them.
        guided = _guided(left, right, document, unclosed, budget)
        if guided is not None:
            return guided
    question = SchemaPair(sent, right.document, budget)
    broken = _broken(left, right, question, budget)
    if broken is not None:
        return broken
    outcome = refute(question, budget)
    if isinstance(outcome, Unsat):
        # No message was found either: what tells them apart is how something is read, and a proof must hold both ways.
        return _read_differently(left, right) if opinion is False else "no message in the difference"
    if isinstance(outcome, Sat) and confirm.confirmed(left, right, outcome.value, budget.tick):
        return explained(left, right, outcome.value, question.breaking([outcome.value]), budget)
    guess = _guess(left, right, budget)
    if guess is not None:
        return explained(left, right, guess, as_candidates(()), budget)
    if isinstance(outcome, Unknown):
        place = place_of(outcome.keyword, right.schema, left.schema) if outcome.keyword else ""
        return Undecided(place=place, why=f"{outcome.reason}.")
    code = code_in(right.schema) if right.document.opaque else None
    if code is not None:
        return Undecided(place=code.place, why=f"{code.reason}.")
    return Undecided(place="", why="a message was found that may break it, and the validators do not agree on it.")


def _refuted_soon(sent: Document, taken: Document, budget: Budget) -> bool:
    """Whether it is proved in a few steps that no message is in the difference."""
    part = BudgetShare(budget, WRITTEN_STEPS)
    try:
        with watching(part.tick):
            return isinstance(refute(SchemaPair(sent, taken, part), part), Unsat)
    except (OutOfPart, RecursionError):
        return False


def _read_differently(left: Side, right: Side) -> Undecided:
    place = next(filter(None, (place_of(keyword, right.schema, left.schema) for keyword in _READ_TWO_WAYS)), "")
    why = f"{place.rpartition('/')[2] or 'a keyword'!r} is read in two ways: by one there is no message that breaks it."
    return Undecided(place=place, why=why)


# What validators differ on, the most likely first.
_READ_TWO_WAYS = (
    "pattern",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "const",
    "enum",
)


def _proved(produced: Side, closed: bool, proof: str, budget: Budget) -> Compatible | Impossible:
    if not is_empty(produced, budget, closed=closed):
        return Compatible(proof=proof)
    # `strict` asks for plain containment, which holds for every empty set.
    return Impossible(proof=proof, why=NOTHING_SENT) if closed else Compatible(proof=proof, vacuous=NOTHING_SENT)


def _guided(left: Side, right: Side, sent: Document, rest: Json, budget: Budget) -> Verdict | None:
    """The verdict where the residual leads to a message; None where it does not within its part of the budget."""
    if sent.dynamic or right.document.dynamic:
        return None
    shown: list[Json] = []
    part = BudgetShare(budget, GUIDED_STEPS)
    candidates = GuidedSearch(sent, right.document, part).all(bare(sent.schema), bare(rest), PATIENCE)
    # What was found before the search ended is a witness all the same; without one, canonical forms take no step.
    with (
        contextlib.suppress(OutOfPart, OutOfBudget, NoMinimalInstance, TooManyComparisons, RecursionError),
        watching(part.tick),
    ):
        _gather(breaking(left, right, candidates, budget, MAX_GUIDED), shown, budget)
    return _smallest(left, right, shown, budget)


def _gather(messages: Iterator[Json], shown: list[Json], budget: Budget) -> None:
    """Collects messages that break the consumer; from the first one on, time to confirm one of them is kept."""
    shown.extend(itertools.islice(messages, 1))
    with budget.keeping(CONFIRMING):
        shown.extend(messages)


def _broken(left: Side, right: Side, question: SchemaPair, budget: Budget) -> Verdict | None:
    """The verdict where the consumer's keywords, each broken on its own, give messages: the smallest is the witness."""
    shown: list[Json] = []
    try:
        _gather(breaking(left, right, question.breaking(patience=PATIENCE), budget), shown, budget)
    except OutOfBudget:
        if not shown:
            raise
    return _smallest(left, right, shown, budget)


def _smallest(left: Side, right: Side, shown: Sequence[Json], budget: Budget) -> Verdict | None:
    # Sorting is stable: of equally small ones the first keyword's.
    ordered = sorted(shown, key=lambda message: len(text(message))) if len(shown) > 1 else shown
    for index, witness in enumerate(ordered):
        if confirm.confirmed(left, right, witness, budget.tick, separated=True):
            return incompatible(left, right, [witness, *ordered[:index], *ordered[index + 1 :]], budget)
    return None


def _listed(produced: Side, right: Side, closed: bool, budget: Budget) -> Verdict | None:
    """The verdict where the producer's schema lists its messages: both validators look at each of them."""
    schema = produced.document.schema
    if not isinstance(schema, dict) or right.document.lexical or produced.document.lexical:
        return None
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is None or len(values) > MAX_LISTED:
        return None
    left = produced.closed if closed else produced
    said = [(confirm.accepts(left, value, budget.tick), confirm.accepts(right, value, budget.tick)) for value in values]
    broken = [value for value, (sent, taken) in zip(values, said, strict=True) if sent and taken is False]
    if broken:
        return explained(left, right, broken[0], as_candidates(broken[1:]), budget)
    # What code may refuse, the validators pass over.
    if all(sent is False or (sent and taken) for sent, taken in said) and code_in(right.schema) is None:
        return _proved(produced, closed, "every message looked at", budget)
    return None


def _guess(left: Side, right: Side, budget: Budget) -> Json | None:
    harvested = harvest(left.document.schema, right.document.schema)
    for candidate in itertools.islice(candidates(left.document.schema, harvested, budget.tick), MAX_GUESSES):
        if confirm.separates(left, right, candidate, budget.tick) and confirm.confirmed(
            left, right, candidate, budget.tick, separated=True
        ):
            return candidate
    return None

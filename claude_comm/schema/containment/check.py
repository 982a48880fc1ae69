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
import functools
import itertools
from collections.abc import Callable, Sequence

import msgspec

from claude_comm.errors import SchemaError
from claude_comm.schema.budget import Budget, OutOfBudget, OutOfPart, Part
from claude_comm.schema.containment import canonical, confirm
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.emptiness import is_empty
from claude_comm.schema.containment.guided_witness import GuidedSearch
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance
from claude_comm.schema.containment.reasons import as_candidates, breaking, explained, incompatible
from claude_comm.schema.containment.residual import TooManyComparisons, alike, bare, residual
from claude_comm.schema.cost.validation_cost import circular
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.keywords import place_of
from claude_comm.schema.limits import Measure, measure
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import code_in
from claude_comm.schema.regex.language import watching
from claude_comm.schema.solver.difference import Difference, refute
from claude_comm.schema.solver.result import Sat, Unknown, Unsat
from claude_comm.schema.validation.precheck import compiles
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Compatible, Impossible, Json, Policy, Undecided, Verdict

MAX_LISTED = 200
# Schemas of up to this many characters are kept ready: a module asks about the same ones again and again. Small ones
# have room of their own, so that those of many modules stay: throwing one away takes a tenth of the time of a check.
MAX_KEPT, MAX_SMALL = 32_768, 4_096
MAX_GUESSES = 400
# Keywords that are put to the prover one by one before it is asked about all of them at once, which costs more where
# there is a message and less where there is none.
PATIENCE = 6

# Why a proof is not worth an agreement.
NOTHING_SENT = "no message fits the producer's schema: it can send nothing"
# Steps of the search that the residual guides, and the messages that it may propose.
GUIDED_STEPS = 2_000
MAX_GUIDED = 60


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
        sides.append(_side(produced, default_dialect, policy, budget.look))
        sides.append(_side(accepted, default_dialect, "strict", budget.look))
        left, right = sides
        with watching(budget.tick):
            return _settle(left, right, budget)
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


def _side(schema: Json, default: Dialect, policy: Policy, look: Callable[[], None]) -> Side:
    """One schema made ready: under `closed-producer`, its messages are those of the closed schema."""
    size = measure(schema)
    if size.characters > MAX_KEPT:
        return _made(schema, default, policy, size, look)
    # The text tells 1 from 1.0 and true, which a dictionary would not.
    kept = _kept_small if size.characters <= MAX_SMALL else _kept
    return kept(_Written(text(schema), size), default, policy)


class _Written(msgspec.Struct, frozen=True, eq=False):
    """A schema as text, and its size: which the text decides, and so takes no part in what is equal."""

    text: bytes
    size: Measure

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@functools.lru_cache(maxsize=256)
def _kept(written: _Written, default: Dialect, policy: Policy) -> Side:
    return _made(msgspec.json.decode(written.text), default, policy, written.size, lambda: None)


_kept_small = functools.lru_cache(maxsize=1_024)(_kept.__wrapped__)


def _made(schema: Json, default: Dialect, policy: Policy, size: Measure, look: Callable[[], None]) -> Side:
    """`look` is called between stages that take up to a tenth of a second each, for the largest of schemas."""
    dialect = dialect_of(schema, default)
    sure = compiles(schema, dialect, size)
    look()
    ready = None if sure else confirm.compile_side(schema, dialect)
    look()
    document = normalise(schema, dialect, size)
    look()
    as_written = Side(schema, dialect, document, sure=sure)
    if ready is not None:
        as_written.keep(ready)
    if policy == "strict":
        return as_written
    written = as_written if document.opaque or document.lexical else None
    document = close(document)
    look()
    # Compiled only when a message is put to it: many pairs are proved without one.
    return Side(document.schema, DEFAULT, document, written, wider=as_written)


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
    rest, wider = residual(left.document, right.document, budget.look), left.wider or left
    if rest is True or (wider is not left and residual(wider.document, right.document, budget.look) is True):
        return _proved(left, "keyword by keyword", budget)
    if wider.dialect == right.dialect and alike(wider.schema, right.schema) and code_in(right.schema) is None:
        # Also where it holds what no normal form says.
        return _proved(left, "the same schema", budget)
    # What is dropped here only makes the producer's messages more: a proof holds, and a witness is confirmed by all.
    spare = left.document.spare
    if spare is not None:
        found = _searched(left, right, spare, rest, budget)
        if not isinstance(found, Undecided):
            return found
    return _searched(left, right, left.document, rest, budget)


def _searched(left: Side, right: Side, sent: Document, rest: Json, budget: Budget) -> Verdict:
    """The verdict by search and proof, for the producer's messages as `sent` describes them."""
    guided = _guided(left, right, sent, rest, budget)
    if guided is not None:
        return guided
    opinion = canonical.proves(left.canonical, right.canonical)
    if opinion is True:
        return _proved(left, "canonical forms", budget)
    question = Difference(sent, right.document, budget)
    broken = _broken(left, right, question, budget)
    if broken is not None:
        return broken
    outcome = refute(question, budget)
    if isinstance(outcome, Unsat):
        if opinion is False:
            return Undecided(place="", why="the two provers contradict each other; please report this pair of schemas.")
        return _proved(left, "no message in the difference", budget)
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


def _proved(left: Side, proof: str, budget: Budget) -> Compatible | Impossible:
    if not is_empty(left, budget):
        return Compatible(proof=proof)
    # `strict` has no wider form: it asks for plain containment, which holds for every empty set.
    strict = left.wider is None
    return Compatible(proof=proof, vacuous=NOTHING_SENT) if strict else Impossible(proof=proof, why=NOTHING_SENT)


def _guided(left: Side, right: Side, sent: Document, rest: Json, budget: Budget) -> Verdict | None:
    """The verdict where the residual leads to a message; None where it does not within its part of the budget."""
    if sent.dynamic or right.document.dynamic:
        return None
    part, shown = Part(budget, GUIDED_STEPS), list[Json]()
    candidates = GuidedSearch(sent, right.document, part).all(bare(sent.schema), bare(rest), PATIENCE)
    # What was found before the search ended is a witness all the same; without one, canonical forms take no step.
    with (
        contextlib.suppress(OutOfPart, OutOfBudget, NoMinimalInstance, TooManyComparisons, RecursionError),
        watching(part.tick),
    ):
        for message in breaking(left, right, candidates, part, MAX_GUIDED):
            shown.append(message)
    return _smallest(left, right, shown, budget)


def _broken(left: Side, right: Side, question: Difference, budget: Budget) -> Verdict | None:
    """The verdict where the consumer's keywords, each broken on its own, give messages: the smallest is the witness."""
    shown: list[Json] = []
    try:
        shown.extend(breaking(left, right, question.breaking(patience=PATIENCE), budget))
    except OutOfBudget:
        if not shown:
            raise
    return _smallest(left, right, shown, budget)


def _smallest(left: Side, right: Side, shown: Sequence[Json], budget: Budget) -> Verdict | None:
    # Sorting is stable: of equally small ones the first keyword's.
    ordered = sorted(shown, key=lambda message: len(text(message)))
    for index, witness in enumerate(ordered):
        if confirm.confirmed(left, right, witness, budget.tick):
            return incompatible(right, [witness, *ordered[:index], *ordered[index + 1 :]], budget)
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
    broken = [value for value, (sent, taken) in zip(values, said, strict=True) if sent and taken is False]
    if broken:
        return explained(left, right, broken[0], as_candidates(broken[1:]), budget)
    # What code may refuse, the validators pass over.
    if all(sent is False or (sent and taken) for sent, taken in said) and code_in(right.schema) is None:
        return _proved(left, "every message looked at", budget)
    return None


def _guess(left: Side, right: Side, budget: Budget) -> Json | None:
    harvested = harvest(left.document.schema, right.document.schema)
    for candidate in itertools.islice(candidates(left.document.schema, harvested, budget.tick), MAX_GUESSES):
        if confirm.separates(left, right, candidate, budget.tick) and confirm.confirmed(
            left, right, candidate, budget.tick
        ):
            return candidate
    return None

"""Whether a schema has a message at all: so that nothing is called compatible because it can send nothing.

Law: `inhabited` is True only where a message is certain, `empty` only from a proof; where neither can be told within a
part of the budget, nothing is said, and the verdict that was reached stands.

Three steps, each for what the one before left open: keywords that plainly leave room (no message is made); the smallest
instance, checked by the first validator; the prover, asked for any message.
"""

from __future__ import annotations

from claude_comm.schema.budget import Budget, BudgetShare, OutOfBudget, OutOfPart
from claude_comm.schema.containment import confirm
from claude_comm.schema.containment.alike import bare
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance, minimal_instance
from claude_comm.schema.containment.room import Room
from claude_comm.schema.normalform.closing import marks_what_is_asked
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.regex.language import watching
from claude_comm.schema.solver.difference import SchemaPair, refute
from claude_comm.schema.solver.result import Unsat
from claude_comm.schema.verdict import Json

# Steps of a search for any message; what takes more is left open.
STEPS = 4_000
_NOTHING = Document(schema=False, origins={}, opaque=False, lexical=False, dynamic=False)


def is_empty(side: Side, budget: Budget, *, closed: bool = False, steps: int = STEPS) -> bool:
    """Whether it is proved that no message fits a schema, or its closed form; kept with it, once it is known."""
    kept = "is_empty_closed" if closed else "is_empty"
    known = vars(side).get(kept)
    if known is None:
        known = vars(side)[kept] = not _plainly_has_room(side, closed) and _is_empty(
            side, BudgetShare(budget, steps), closed
        )
    return bool(known)


def _plainly_has_room(side: Side, closed: bool) -> bool:
    """The same as `has_room`, asked at once where no pattern has to be read, which takes steps."""
    try:
        return not side.document.may_have_patterns and has_room(side, closed=closed)
    except RecursionError:
        return False


def _is_empty(side: Side, part: BudgetShare, closed: bool) -> bool:
    try:
        with watching(part.tick):
            if side.document.may_have_patterns and has_room(side, closed=closed):
                return False
            side = side.closed if closed else side
            if _has_minimal_instance(side, part):
                return False
            return isinstance(refute(SchemaPair(side.document, _NOTHING, part), part), Unsat)
    except (OutOfPart, OutOfBudget, RecursionError):
        return False


def has_room(side: Side, *, closed: bool = False) -> bool:
    """Whether the keywords show that there is a message, which closing leaves as well if `closed`."""
    document = side.document
    if closed and not marks_what_is_asked(document):
        return False
    return Room(document.definitions, closed=closed).leaves(bare(document.schema))


def _has_minimal_instance(side: Side, part: Budget) -> bool:
    definitions = side.document.definitions

    def solve(schema: Json) -> Json:
        raise NoMinimalInstance

    try:
        message = minimal_instance(bare(side.document.schema), definitions, solve)
    except NoMinimalInstance:
        return False
    return confirm.fits(side, message, part.tick)

"""The verdict about one way: what comes out of an adapter, if there is one, against what is accepted.

Law: pure. What an adapter makes of a closed producer is taken as it is: the adapter may have declared more.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from claude_comm.registry.contracts import Schema
from claude_comm.schema.containment.check import check
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.evolution.adapter import Adapter
from claude_comm.schema.evolution.image import image
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.verdict import Policy, Undecided, Verdict

_NO_IMAGE = Undecided(
    place="", why="the producer's schema holds a reference or a number that has no image under the adapter."
)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """How verdicts are found: by which policy, and how long one may take by `clock` (seconds; without one, counted)."""

    policy: Policy = "closed-producer"
    budget_ms: float = 2_000
    clock: Callable[[], float] | None = None


def weigh(produced: Schema, accepted: Schema, ask: Ask, adapter: Adapter | None = None) -> tuple[Schema, Verdict]:
    """What reaches the module, and whether it accepts all of that. Raises SchemaError."""
    if adapter is None:
        return produced, check(produced, accepted, policy=ask.policy, budget_ms=ask.budget_ms, clock=ask.clock)
    document = normalise(produced, dialect_of(produced))
    out = image(close(document) if ask.policy == "closed-producer" else document, adapter)
    if out is None:
        return True, _NO_IMAGE
    return out, check(out, accepted, policy="strict", budget_ms=ask.budget_ms, clock=ask.clock)

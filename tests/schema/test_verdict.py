"""What a gate makes of each verdict."""

from __future__ import annotations

import pytest

from claude_comm.schema import Compatible, Incompatible, Undecided
from claude_comm.schema.verdict import Impossible, Verdict, at_a_gate, contained, passes

PROVED = Compatible(proof="p")
VACUOUS = Compatible(proof="p", vacuous="nothing is sent")
IMPOSSIBLE = Impossible(proof="p", why="nothing fits")


@pytest.mark.parametrize(
    ("verdict", "lets_through", "holds", "acted_on"),
    [
        (PROVED, True, True, "compatible"),
        (VACUOUS, False, True, "impossible"),
        (IMPOSSIBLE, False, True, "impossible"),
        (Incompatible(witness=1), False, False, "incompatible"),
        (Undecided(place="/x", why="too deep"), False, False, "undecided"),
    ],
)
def test_only_what_is_proved_of_something_that_is_sent_passes(
    verdict: Verdict, lets_through: bool, holds: bool, acted_on: str
) -> None:
    assert (passes(verdict), contained(verdict), at_a_gate(verdict)) == (lets_through, holds, acted_on)

"""Every ordered pair of types: what is agreed is delivered, what is refused has a witness that the decoder refuses."""

from __future__ import annotations

import pytest

from claude_comm.errors import DecodeError
from claude_comm.schema.containment.check import check
from claude_comm.schema.verdict import Compatible, Incompatible
from tests.support.typed_values import VALUES, PChecked, deliver, name_of, schemas_of, sender, take

PLACES = range(len(VALUES))
SURE = [at for at in PLACES if VALUES[at][0] is not PChecked]
# A pair a dozen in the normal run, spread over both sides; each type with itself besides.
STRIDE = 13

# What these types take is known in part: the rest is code, or past what is promised of a key.
LEFT_TO_CODE = {PChecked: "PChecked.positive", dict[float, int]: "the range of a float"}


def hold(left: int, right: int) -> None:
    """A pair is one of the two cases, or says that code decides."""
    (sent, _), (_, taken) = schemas_of(left), schemas_of(right)
    shape, values = VALUES[right][0], VALUES[left][1]
    pair = f"{name_of(VALUES[left][0])} to {name_of(shape)}"
    verdict = check(sent, taken, budget_ms=20_000)
    if isinstance(verdict, Compatible):
        send = sender(sent)
        for value in values:
            deliver(value, send, shape)
    elif isinstance(verdict, Incompatible):
        with pytest.raises(DecodeError):
            pytest.fail(f"{pair}: {verdict.witness!r} was taken for {take(verdict.witness, shape)!r}")
    else:
        assert shape in LEFT_TO_CODE, f"{pair}: {verdict}"
        assert LEFT_TO_CODE[shape] in verdict.why


def test_there_are_sixty_types_with_ten_values_each() -> None:
    assert len(VALUES) >= 60
    assert {len(values) for _, values in VALUES} == {10}


@pytest.mark.parametrize("at", PLACES, ids=lambda at: name_of(VALUES[at][0]))
def test_what_a_type_sends_to_others_is_delivered_or_refused_rightly(at: int) -> None:
    for other in sorted({at, *(other for other in PLACES if (at * 7 + other) % STRIDE == 0)}):
        hold(at, other)


@pytest.mark.long
@pytest.mark.parametrize("at", PLACES, ids=lambda at: name_of(VALUES[at][0]))
def test_what_a_type_sends_to_every_other_is_delivered_or_refused_rightly(at: int) -> None:
    for other in PLACES:
        hold(at, other)


@pytest.mark.parametrize(
    "at", [at for at in PLACES if VALUES[at][0] is not PChecked], ids=lambda at: name_of(VALUES[at][0])
)
def test_a_type_agrees_with_itself_without_a_search(at: int) -> None:
    sent, taken = schemas_of(at)
    verdict = check(sent, taken)
    assert isinstance(verdict, Compatible), verdict

"""The verdict itself: each way to break a guarantee, by hand, makes it red; and what is allowed leaves it green."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.record import FLAKY, PLAIN
from tests.chaos.verdict import BadEntry, Evidence, Findings, Handled, Row, weigh

NUMBERS = range(6)


def row(number: int, *, source: str = "p", type_: str = PLAIN, sound: bool = True) -> Row:
    return Row(source, "solo", type_, "s", number, sound)


def evidence() -> Evidence:
    """Six messages, each handled and stored; a bad entry, buried and noted."""
    known = [("p", "solo", number) for number in NUMBERS]
    return Evidence(
        tried=dict.fromkeys(known, PLAIN),
        returned=set(known),
        groups={"solo": "solo"},
        ordered={"solo"},
        handled={"solo": [Handled(one, PLAIN, 10 * one[2]) for one in known]},
        stored={"projection-0": [row(number) for number in NUMBERS]},
        unreadable={"projection-0": {("s", "9-0")}},
        bad=[BadEntry("s", "9-0", "bytes", "solo", readable=False)],
        buried={("s", "9-0")},
        quiet_ns=(0, 50),
    )


def test_what_is_as_it_should_be_is_green() -> None:
    findings = weigh(evidence())
    assert findings.green
    assert (findings.returned, findings.handled, findings.stored) == (6, 6, 6)


def test_a_second_handling_is_allowed_and_counted() -> None:
    given = evidence()
    given.handled["solo"].append(given.handled["solo"][0])
    assert (weigh(given).green, weigh(given).handled_again) == (True, 1)


def test_a_publish_that_raised_may_be_stored_or_not() -> None:
    given = evidence()
    given.returned -= {("p", "solo", 5)}
    assert weigh(given).green
    given.stored["projection-0"].pop()
    given.handled["solo"].pop()
    assert weigh(given).green


def test_what_was_retried_may_be_late() -> None:
    given = evidence()
    given.tried["p", "solo", 0] = FLAKY
    given.stored["projection-0"] = [*(row(number) for number in NUMBERS[1:]), row(0, type_=FLAKY)]
    given.handled["solo"] = [*given.handled["solo"][1:], Handled(("p", "solo", 0), FLAKY, 99)]
    assert weigh(given).green


BREAKS: dict[str, tuple[Callable[[Evidence], object], Callable[[Findings], int]]] = {
    "not handled": (lambda given: given.handled["solo"].pop(), lambda found: found.lost),
    "not stored": (lambda given: given.stored["projection-0"].pop(), lambda found: found.lost),
    "handled, though it raised, and not stored": (
        lambda given: (given.returned.remove(("p", "solo", 5)), given.stored["projection-0"].pop()),
        lambda found: found.lost,
    ),
    "stored twice": (lambda given: given.stored["projection-0"].append(row(2)), lambda found: found.doubled),
    "stored, never sent": (
        lambda given: given.stored["projection-0"].append(row(6)),
        lambda found: found.strange,
    ),
    "stored with another payload": (
        lambda given: given.stored["projection-0"].__setitem__(3, row(3, sound=False)),
        lambda found: found.strange,
    ),
    "handled, never sent": (lambda given: given.strange_handled.append("B p solo 7"), lambda found: found.strange),
    "stored in another order": (
        lambda given: given.stored["projection-0"].insert(0, given.stored["projection-0"].pop()),
        lambda found: found.disordered,
    ),
    "handled in another order": (
        lambda given: given.handled["solo"].insert(0, given.handled["solo"].pop()),
        lambda found: found.disordered,
    ),
    "a bad entry not buried": (lambda given: given.buried.clear(), lambda found: found.silent),
    "a bad entry not in the projection": (
        lambda given: given.unreadable["projection-0"].clear(),
        lambda found: found.silent,
    ),
    "a good one buried": (lambda given: given.unjust.append("failed"), lambda found: found.unjust),
    "a process that ended by itself": (
        lambda given: given.ended.append("p0 ended"),
        lambda found: found.ended,
    ),
    "one that does not work again": (lambda given: given.idle.append("solo-0"), lambda found: found.idle),
    "a key without an end": (lambda given: given.endless.append("stray"), lambda found: found.endless),
    "no rest": (lambda given: setattr(given, "restless", "3 pending"), lambda found: len(found.breaches)),
}


@pytest.mark.parametrize("name", BREAKS)
def test_it_is_red_for(name: str) -> None:
    breaking, count = BREAKS[name]
    given = evidence()
    breaking(given)
    findings = weigh(given)
    assert not findings.green
    assert count(findings) >= 1

"""The fold of one run: what ends an input ends it once, and what others write counts for nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.delivery.reply import FAILURE_TYPE
from claude_comm.envelope import Envelope, pack
from claude_comm.pipeline import ids, route
from claude_comm.pipeline.ids import MessagePlace
from claude_comm.pipeline.notice import FailureNotice
from claude_comm.pipeline.route import FAILED_TYPE, SKIPPED_TYPE, Leg
from claude_comm.pipeline.session import RunSession
from claude_comm.pipeline.tally import RATE_S, Finished, RunTally, Untaken
from claude_comm.progress.events import Buried, Handled, Retried, Settled

STARTED_MS = 1_760_000_000_000
LINE = (Leg(step="start", next={"a": 1}), Leg(step="a", next={"end": 2}), Leg(step="end"))
FORK = (
    Leg(step="start", next={"a": 1, "b": 2}),
    *(Leg(step="a", next={"end": 3}), Leg(step="b", next={"end": 4}), Leg(step="end", after=("a", "b"))),
)


def run(*legs: Leg) -> RunSession:
    written = tuple(map(route.write, legs))
    return RunSession(session="s", pipeline="p", digest="d", route=written, started_ms=STARTED_MS, touched_us=0)


def came(session: RunSession, number: int, data: Any, *, part: int = -1, **fields: Any) -> Envelope:
    place = MessagePlace(STARTED_MS, session.tag, edge=2, input=number)
    here = (route.write(Leg(step="end", part=part, after=("a", "b"))),) if part >= 0 else ()
    return Envelope(
        id=ids.write(place), source="a", target="end", time=1, session="s", data=pack(data), route=here, **fields
    )


def ended(tally: RunTally) -> list[Any]:
    return list(tally.results(all_=True))


def test_what_has_come_out_stays_whatever_comes_after() -> None:
    session = run(*LINE)
    tally = RunTally(session)
    notice = FailureNotice(step="a", module="a", message="m", reason="no")
    tally.collected(came(session, 0, notice, type=FAILURE_TYPE))
    tally.collected(came(session, 0, "result"))
    tally.collected(came(session, 0, notice, type=FAILURE_TYPE))
    tally.collected(came(session, 0, "again"))
    tally.collected(came(session, 1, None, type=SKIPPED_TYPE))
    assert ended(tally) == [Finished(input=0, result="result"), Untaken(input=1)]
    assert (tally.done, tally.failed) == (2, 0)


def test_of_several_ends_a_part_that_failed_or_that_nobody_has_is_no_result() -> None:
    session = run(*FORK)
    tally = RunTally(session)
    tally.collected(came(session, 0, "x", part=7))
    tally.collected(came(session, 0, "x"))
    for number, second in ((0, {}), (1, {"type": SKIPPED_TYPE}), (2, {"type": FAILED_TYPE})):
        tally.collected(came(session, number, "a", part=0))
        tally.collected(came(session, number, "b", part=1, **second))
    assert ended(tally) == [Finished(input=0, result={"a": "a", "b": "b"}), Finished(input=1, result={"a": "a"})]


def test_each_step_counts_what_it_handled_retried_and_gave_up() -> None:
    session = run(*LINE)
    tally = RunTally(session)
    ids_ = [ids.write(MessagePlace(STARTED_MS, session.tag, edge=1, input=number)) for number in range(3)]
    first, second, third = (Settled("start", id_, 1, 2, 1) for id_ in ids_)
    tally.happened(Handled([first]))
    tally.happened(Retried(second, "no", 3))
    tally.happened(Buried(third, "no", "$"))
    (count,) = tally.progress(0.0, sent=3, total=3).steps
    assert (count.handled, count.retried, count.failed) == (1, 1, 1)


def test_the_rate_is_that_of_the_last_moments() -> None:
    session = run(*LINE)
    tally = RunTally(session)
    assert tally.progress(0.0, sent=9, total=9).rate is None
    for second in (1.0, 2.0):
        tally.collected(came(session, int(second), "x"))
        tally.progress(second, sent=9, total=9)
    late = tally.progress(2.0 + 2 * RATE_S, sent=9, total=9)
    assert late.rate == 0, "nothing has ended since the second moment"
    assert late.left_s is None


def test_a_result_and_a_notice_that_cannot_be_read_end_their_inputs_with_the_reason() -> None:
    session, foreign = run(*LINE), msgspec.Raw(b"\xc1")
    tally = RunTally(session)
    for number, type in ((0, "message"), (1, FAILURE_TYPE)):
        tally.collected(msgspec.structs.replace(came(session, number, None, type=type), data=foreign))
    result, failure = ended(tally)
    assert list(result.result) == ["unreadable"]
    assert (failure.step, bool(failure.reason)) == ("a", True)

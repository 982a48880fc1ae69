"""A promise is a future of the standard library to everybody who has one, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, CancelledError, InvalidStateError, as_completed, wait

import pytest

from claude_comm.client.publisher.batching import fail, settle
from claude_comm.client.publisher.promise import Promise
from claude_comm.effects import Post
from tests.support.waiting import PATIENCE_S, wait_until


def test_what_is_kept_before_anybody_looks_makes_no_condition() -> None:
    promise = Promise()
    promise.set_result("id")
    assert promise.done()
    assert promise.result(0) == "id"
    assert promise._made is None


def test_who_waits_is_woken() -> None:
    promise, got = Promise(), []
    thread = threading.Thread(target=lambda: got.append(promise.result(PATIENCE_S)))
    thread.start()
    wait_until(lambda: bool(promise._sleepers))
    promise.set_result("id")
    thread.join(PATIENCE_S)
    assert got == ["id"]


def test_callbacks_are_called_whether_they_come_before_or_after() -> None:
    before, after, called = Promise(), Promise(), []
    before.add_done_callback(lambda done: called.append(done.result()))
    before.set_result("1")
    after.set_result("2")
    after.add_done_callback(lambda done: called.append(done.result()))
    assert called == ["1", "2"]


def test_errors_cancellation_and_time() -> None:
    failed, cancelled, late = Promise(), Promise(), Promise()
    failed.set_exception(KeyError("x"))
    assert cancelled.cancel()
    with pytest.raises(KeyError):
        failed.result()
    assert isinstance(failed.exception(), KeyError)
    with pytest.raises(CancelledError):
        cancelled.result()
    assert cancelled.done()
    with pytest.raises(TimeoutError):
        late.result(0.01)
    assert not late.done()


def test_it_is_kept_once() -> None:
    promise = Promise()
    promise.set_result("id")
    with pytest.raises(InvalidStateError):
        promise.set_result("other")
    assert not promise.cancel()
    assert promise.result() == "id"
    assert promise.exception() is None


def test_the_functions_of_the_standard_library_take_them() -> None:
    first, second = Promise(), Promise()
    first.set_result("1")
    done, waiting = wait([first, second], return_when=FIRST_COMPLETED)
    assert (done, waiting) == ({first}, {second})
    threading.Timer(0.01, second.set_result, ["2"]).start()
    assert {promise.result() for promise in as_completed([first, second], timeout=PATIENCE_S)} == {"1", "2"}


def test_a_race_between_who_keeps_it_and_who_waits_wakes_everybody() -> None:
    for _ in range(300):
        promise, start, got = Promise(), threading.Barrier(2), []

        def look(promise: Promise = promise, start: threading.Barrier = start, got: list[str] = got) -> None:
            start.wait(PATIENCE_S)
            got.append(promise.result(PATIENCE_S))

        thread = threading.Thread(target=look)
        thread.start()
        start.wait(PATIENCE_S)
        promise.set_result("id")
        thread.join(PATIENCE_S)
        assert got == ["id"]


class _CancelledMeanwhile(Promise):
    """Another thread cancels it after somebody has looked, and before it is kept."""

    def done(self) -> bool:
        before = super().done()
        self.cancel()
        return before


def test_one_that_is_cancelled_meanwhile_keeps_none_of_the_others_waiting() -> None:
    """A message that is given up while its batch is confirmed: the sender goes on, and so do the rest of its batch."""
    given_up, waited_for = _CancelledMeanwhile(), Promise()
    called: list[str] = []
    waited_for.add_done_callback(lambda done: called.append(done.result()))
    Promise.resolve([("1", given_up), ("2", waited_for)])
    assert called == ["2"]


def test_one_that_is_cancelled_meanwhile_ends_no_sender_when_it_fails() -> None:
    given_up = _CancelledMeanwhile()
    fail(("1", Post("stream", b""), given_up), ValueError())
    settle([("1", Post("stream", b""), _CancelledMeanwhile())], [b"1-0"])
    assert given_up.cancelled()

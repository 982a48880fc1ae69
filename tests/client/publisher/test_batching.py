"""Many callers, one pipeline: queued messages travel together, in order, bounded, each with its own outcome."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from claude_comm import Publisher, Settings
from claude_comm.client.publisher.batching import MAX_BATCH, Batcher
from claude_comm.client.publisher.outbox_sender import OnFull
from claude_comm.client.publisher.promise import Promise
from claude_comm.effects import Command, Post
from claude_comm.errors import (
    EncodeError,
    PublisherBusy,
    PublisherClosed,
    PublisherFull,
    ServerRefused,
    ServerUnreachable,
)
from claude_comm.ops.publish import Outcomes
from claude_comm.transport.driver import Client
from tests.support.batches import Server, post
from tests.support.streams import sent
from tests.support.waiting import PATIENCE_S, wait_until


def test_messages_that_arrive_during_a_batch_share_the_next() -> None:
    server = Server()
    server.gate.clear()
    batcher = Batcher(server, 10_000, "wait")
    first = threading.Thread(target=batcher.send, args=("0", post(b"0")))
    first.start()
    wait_until(lambda: len(server.batches) == 1)
    rest = [threading.Thread(target=batcher.send, args=(str(n), post(b"%d" % n))) for n in range(1, 20)]
    for thread in rest:
        thread.start()
    wait_until(lambda: len(batcher._queue.messages) == 19)
    server.gate.set()
    for thread in (first, *rest):
        thread.join(PATIENCE_S)
    assert [len(batch) for batch in server.batches] == [1, 19]


def test_a_lone_message_goes_at_once_and_alone() -> None:
    server = Server()
    assert Batcher(server, 10_000, "wait").send("id", post(b"x")) == "id"
    assert server.batches == [[b"x"]]


def test_each_caller_gets_the_outcome_of_its_own_message() -> None:
    server = Server()
    server.refused[b"bad"] = ServerRefused("OOM no", code="OOM")
    batcher = Batcher(server, 10_000, "wait")
    good, bad = batcher.send_soon("g", post(b"good")), batcher.send_soon("b", post(b"bad"))
    batcher.flush()
    assert good.result(PATIENCE_S) == "g"
    assert isinstance(bad.exception(PATIENCE_S), ServerRefused)
    batcher.close()


def test_a_batch_that_fails_fails_all_its_messages_and_the_next_is_sent() -> None:
    server = Server()
    server.broken = ServerUnreachable("u", "gone")
    batcher = Batcher(server, 10_000, "wait")
    with pytest.raises(ServerUnreachable):
        batcher.send("1", post(b"1"))
    server.broken = None
    assert batcher.send("2", post(b"2")) == "2"


@pytest.mark.parametrize("on_full", ["refuse", "drop_oldest"])
def test_what_waits_is_bounded_in_bytes(on_full: OnFull) -> None:
    server = Server()
    server.gate.clear()
    batcher = Batcher(server, 30, on_full)
    first = batcher.send_soon("0", post(b"0" * 10))
    wait_until(lambda: len(server.batches) == 1)
    waiting = [batcher.send_soon(str(n), post(b"%010d" % n)) for n in range(1, 4)]
    if on_full == "refuse":
        with pytest.raises(PublisherFull, match="not taken"):
            batcher.send_soon("4", post(b"4" * 10))
        expected = ["1", "2", "3"]
    else:
        waiting.append(batcher.send_soon("4", post(b"4" * 10)))
        dropped = waiting.pop(0)
        assert isinstance(dropped.exception(PATIENCE_S), PublisherFull)
        expected = ["2", "3", "4"]
    server.gate.set()
    batcher.flush()
    assert first.result(PATIENCE_S) == "0"
    assert [future.result(PATIENCE_S) for future in waiting] == expected
    batcher.close()


def test_with_wait_a_full_queue_slows_the_caller_and_loses_nothing() -> None:
    server = Server()
    batcher = Batcher(server, 50, "wait")
    futures = [batcher.send_soon(str(n), post(b"%010d" % n)) for n in range(500)]
    batcher.close()
    assert [future.result(PATIENCE_S) for future in futures] == [str(n) for n in range(500)]
    assert [body for batch in server.batches for body in batch] == [b"%010d" % n for n in range(500)]
    assert max(len(batch) for batch in server.batches) <= 6


def test_no_batch_is_larger_than_the_largest() -> None:
    server = Server()
    server.gate.clear()
    batcher = Batcher(server, 10**9, "wait")
    for n in range(MAX_BATCH * 2 + 10):
        batcher.send_soon(str(n), post(b"x"))
    server.gate.set()
    batcher.close()
    assert max(len(batch) for batch in server.batches) <= MAX_BATCH


def test_published_soon_is_in_the_stream_after_a_flush_in_order(settings: Settings, client: Client) -> None:
    with Publisher("src", settings=settings) as publisher:
        futures = [publisher.publish_soon("sink", n, session="s") for n in range(3_000)]
        with pytest.raises(EncodeError):
            publisher.publish_soon("sink", object())
        publisher.flush()
        assert all(future.done() for future in futures)
    found = sent(client, settings, "sink")
    assert [envelope.payload() for envelope in found] == list(range(3_000))
    assert [envelope.id for envelope in found] == [future.result() for future in futures]


def test_a_refusal_reaches_the_one_whose_message_was_refused(settings: Settings, client: Client) -> None:
    with Publisher("src", settings=settings) as publisher:
        client.data.one(Command(("SET", publisher.identity.keys.inbox("wrong"), "not a stream")))
        good, bad = publisher.publish_soon("right", 1), publisher.publish_soon("wrong", 1)
        publisher.flush()
        assert good.result(PATIENCE_S)
        error = bad.exception(PATIENCE_S)
    assert isinstance(error, ServerRefused)
    assert error.code == "WRONGTYPE"


def test_an_unexpected_error_ends_neither_the_background_thread_nor_later_messages() -> None:
    server = Server()
    server.broken = ZeroDivisionError("a defect")
    batcher = Batcher(server, 10_000, "wait")
    assert isinstance(batcher.send_soon("1", post(b"1")).exception(PATIENCE_S), ZeroDivisionError)
    server.broken = None
    assert batcher.send_soon("2", post(b"2")).result(PATIENCE_S) == "2"
    batcher.close()


def test_a_publish_from_within_a_publish_raises_and_one_that_is_queued_is_sent() -> None:
    """As a signal handler, a `__del__` or a log handler does, on the thread that is sending."""
    server, queued = Server(), []

    class Reentering:
        def deliver(self, posts: Sequence[Post]) -> Outcomes:
            if not queued:
                with pytest.raises(PublisherBusy):
                    batcher.send("inner", post(b"inner"))
                queued.append(batcher.send_soon("soon", post(b"soon")))
            return server.deliver(posts)

    batcher = Batcher(Reentering(), 10_000, "wait")
    assert batcher.send("outer", post(b"outer")) == "outer"
    assert queued[0].result(PATIENCE_S) == "soon"
    batcher.close()


def test_an_interrupt_of_one_thread_is_not_raised_in_another() -> None:
    server = Server()

    class Interrupted:
        interrupts = 1

        def deliver(self, posts: Sequence[Post]) -> Outcomes:
            if len(posts) > 1 and self.interrupts:
                self.interrupts -= 1
                raise KeyboardInterrupt
            return server.deliver(posts)

    batcher = Batcher(Interrupted(), 10_000, "wait")
    other = Promise()
    batcher._queue.put(("other", post(b"other"), other))
    with pytest.raises(KeyboardInterrupt):
        batcher.send("mine", post(b"mine"))
    batcher.flush()
    assert other.result(PATIENCE_S) == "other"


def test_a_fork_beside_busy_threads_publishes_with_locks_of_its_own(settings: Settings, client: Client) -> None:
    held = Batcher(Server(), 10_000, "wait")
    # By another thread: the one that forks goes on in the child, and holds there what it held.
    busy = threading.Thread(target=lambda: (held._send_lock.acquire(), held._lock.acquire()))
    busy.start()
    busy.join()
    child = os.fork()
    if child == 0:
        signal.alarm(int(PATIENCE_S))
        sent = held.send("child", post(b"child")) == "child"
        os._exit(0 if sent and held.send_soon("soon", post(b"soon")).result(PATIENCE_S) == "soon" else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


def test_a_message_for_a_closed_publisher_is_refused(settings: Settings) -> None:
    publisher = Publisher("src", settings=settings)
    publisher.close()
    with pytest.raises(PublisherClosed):
        publisher.publish_soon("sink", 1)


def test_of_those_that_wait_one_sends_for_all_and_the_rest_wait_for_no_lock() -> None:
    """If each waited for the send lock, those that publish again would find it free in between, and send alone."""
    server = Server()
    batcher = Batcher(server, 10_000_000, "wait")

    def publish(number: int) -> None:
        for turn in range(20):
            batcher.send(f"{number}-{turn}", post(b"%d-%d" % (number, turn)))

    deliver = server.deliver

    def slow(posts: Sequence[Post]) -> Outcomes:
        # A flush takes as long as it takes for all the others to have queued theirs.
        wait_until(lambda: len(batcher._queue.messages) + len(posts) >= busy())
        return deliver(posts)

    server.deliver = slow  # type: ignore[method-assign]
    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]

    def busy() -> int:
        return sum(thread.is_alive() for thread in threads) if all(thread.ident for thread in threads) else 8

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sum(map(len, server.batches)) == 160
    assert len(server.batches) < 60


def test_a_thread_that_is_interrupted_while_it_sends_for_others_leaves_nobody_waiting() -> None:
    server = Server()
    server.gate.clear()
    batcher = Batcher(server, 10_000, "wait")
    deliver, interrupted = server.deliver, []

    def interrupt(posts: Sequence[Post]) -> Outcomes:
        if len(server.batches) == 1 and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return deliver(posts)

    def publish(number: int) -> None:
        with suppress(KeyboardInterrupt):
            batcher.send(str(number), post(b"%d" % number))

    server.deliver = interrupt  # type: ignore[method-assign]
    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    threads[0].start()
    wait_until(lambda: len(server.batches) == 1)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(batcher._queue.messages) == 3)
    server.gate.set()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    batcher.close()
    assert interrupted
    assert sorted(body for batch in server.batches for body in batch) == [b"0", b"1", b"2", b"3"]


def test_a_signal_that_publishes_on_a_thread_with_a_lock_of_its_own_is_refused_and_queues() -> None:
    batcher = Batcher(Server(), 10_000, "wait")
    batcher._queue.put(("behind", post(b"behind"), Promise()))
    with batcher._lock, pytest.raises(PublisherBusy):
        batcher.send("1", post(b"1"))
    with Promise._making, pytest.raises(PublisherBusy):
        batcher.send("1", post(b"1"))
    with batcher._lock:
        soon = batcher.send_soon("2", post(b"2"))
    assert soon.result(PATIENCE_S) == "2"


@pytest.mark.long
def test_signals_that_publish_beside_busy_threads_hold_nobody_up() -> None:
    """In a process of its own, which would hang."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.signalled_publisher"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "all\n"), done.stderr

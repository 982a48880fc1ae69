"""Requests of several threads travel together, and each keeps its own deadline and its own failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from claude_comm.client.publisher import request_flights
from claude_comm.client.publisher.request_flights import Flights, Slot
from claude_comm.effects import Post
from claude_comm.envelope import Envelope
from claude_comm.errors import ServerRefused, ServerUnreachable, TransportError
from claude_comm.ops.publish import Outcomes
from tests.support.waiting import PATIENCE_S, wait_until

ANSWER = Envelope(id="a", source="s", target="t", time=1)


class Server:
    """Records the flights; the first waits until the gate is open, and may then fail."""

    def __init__(self) -> None:
        self.flights: list[list[bytes]] = []
        self.gate = threading.Event()
        self.error: TransportError | None = None
        self.refused: dict[bytes, TransportError] = {}

    def send(self, posts: Sequence[Post], until: float) -> Outcomes:
        self.flights.append([post.body for post in posts])
        if len(self.flights) == 1:
            assert self.gate.wait(PATIENCE_S)
            if self.error is not None:
                raise self.error
        return [self.refused.get(post.body, b"1-1") for post in posts]


def slot(body: bytes, seconds: float = PATIENCE_S) -> Slot:
    return Slot(Post("s", body), time.monotonic() + seconds)


def begun(server: Server, rest: int) -> tuple[Flights, Slot, list[Slot], list[threading.Thread]]:
    """One request whose flight is held, and others behind it."""
    flights = Flights(server.send)
    first, others = slot(b"0"), [slot(b"%d" % (n + 1)) for n in range(rest)]
    threads = [threading.Thread(daemon=True, target=flights.wait, args=(first,))]
    threads[0].start()
    wait_until(lambda: server.flights)
    for each in others:
        threads.append(threading.Thread(daemon=True, target=flights.wait, args=(each,)))
        threads[-1].start()
    wait_until(lambda: len(flights._waiting) == rest)
    return flights, first, others, threads


def ended(threads: Sequence[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(PATIENCE_S)
    return not any(thread.is_alive() for thread in threads)


def test_requests_that_come_during_a_flight_share_the_next() -> None:
    server = Server()
    flights, first, others, threads = begun(server, 9)
    server.gate.set()
    wait_until(lambda: len(server.flights) == 2)
    assert [len(flight) for flight in server.flights] == [1, 9]
    for each in (first, *others):
        each.put(ANSWER)
    assert ended(threads)
    assert flights._leaders == 0


def test_many_that_come_during_a_flight_do_not_wait_for_its_end() -> None:
    server = Server()
    flights, first, others, threads = begun(server, request_flights.NEXT_FLIGHT - 1)
    assert len(server.flights) == 1
    others.append(slot(b"last"))
    threads += entering(flights, others[-1:])
    wait_until(lambda: len(server.flights) == 2)
    assert len(server.flights[1]) == request_flights.NEXT_FLIGHT
    server.gate.set()
    for each in (first, *others):
        each.put(ANSWER)
    assert ended(threads)
    assert flights._leaders == 0


def test_each_has_its_own_refusal() -> None:
    server = Server()
    server.refused = {b"2": ServerRefused("WRONGTYPE no stream")}
    _, first, others, threads = begun(server, 3)
    server.gate.set()
    wait_until(lambda: others[1].error is not None)
    for each in (first, others[0], others[2]):
        each.put(ANSWER)
    assert ended(threads)
    assert [each.error for each in (first, others[0], others[2])] == [None, None, None]


def test_who_gives_up_while_it_waits_to_be_sent_is_not_sent_and_stops_nobody() -> None:
    server = Server()
    flights = Flights(server.send)
    first, brief = slot(b"0"), slot(b"brief", 0.05)
    threads = [threading.Thread(daemon=True, target=flights.wait, args=(first,))]
    threads[0].start()
    wait_until(lambda: server.flights)
    flights.wait(brief)
    assert brief.answer is None
    last = slot(b"last")
    threads.append(threading.Thread(daemon=True, target=flights.wait, args=(last,)))
    threads[-1].start()
    wait_until(lambda: len(flights._waiting) == 1)
    server.gate.set()
    wait_until(lambda: len(server.flights) == 2)
    assert server.flights == [[b"0"], [b"last"]]
    first.put(ANSWER)
    last.put(ANSWER)
    assert ended(threads)


def test_a_sender_without_time_left_does_not_fail_those_that_have_some() -> None:
    server = Server()
    server.error = ServerUnreachable("redis://x", "no reply")
    flights = Flights(server.send)
    first, other = slot(b"0", 0.5), slot(b"1")
    flights._waiting.append(other)  # it came before the first had the lead
    thread = threading.Thread(daemon=True, target=flights.wait, args=(first,))
    thread.start()
    wait_until(lambda: server.flights)
    server.gate.set()
    thread.join(PATIENCE_S)
    assert isinstance(first.error, ServerUnreachable)
    assert other.error is None
    assert other.leads


def test_an_interrupted_sender_hands_the_sending_on(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    interrupted: list[BaseException] = []

    def send(posts: Sequence[Post], until: float) -> Outcomes:
        outcomes = server.send(posts, until)
        if len(server.flights) == 1:
            raise KeyboardInterrupt
        return outcomes

    flights = Flights(send)

    def first() -> None:
        try:
            flights.wait(slot(b"0"))
        except KeyboardInterrupt as error:
            interrupted.append(error)

    second = slot(b"1")
    threads = [threading.Thread(daemon=True, target=first)]
    threads[0].start()
    wait_until(lambda: server.flights)
    threads.append(threading.Thread(daemon=True, target=flights.wait, args=(second,)))
    threads[1].start()
    wait_until(lambda: len(flights._waiting) == 1)
    server.gate.set()
    wait_until(lambda: len(server.flights) == 2)
    second.put(ANSWER)
    assert ended(threads)
    assert interrupted


def test_who_leaves_after_it_was_put_back_is_not_sent_any_more() -> None:
    server = Server()
    server.gate.set()
    flights, gone, last = Flights(server.send), slot(b"gone"), slot(b"last")
    flights._put_back([gone])
    flights._leave(gone)
    thread = threading.Thread(daemon=True, target=flights.wait, args=(last,))
    thread.start()
    wait_until(lambda: server.flights)
    assert server.flights == [[b"last"]]
    last.put(ANSWER)
    assert ended([thread])


def test_an_answer_and_a_failure_at_once_wake_it_once() -> None:
    first, second = slot(b"0"), slot(b"1")
    first.put(ANSWER)
    first.fail(ServerUnreachable("redis://x", "no reply"))
    second.fail(ServerUnreachable("redis://x", "no reply"))
    second.put(ANSWER)
    for each in (first, second):
        assert each.sleep(each.until)
        assert not each.sleep(0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Company is waited for as long as a test may take."""
    monkeypatch.setattr(request_flights, "COMPANY_S", PATIENCE_S)


def entering(flights: Flights, slots: Sequence[Slot]) -> list[threading.Thread]:
    """Threads that wait for these, one behind the other."""
    threads = []
    for each in slots:
        before = flights._leaders, len(flights._waiting)
        threads.append(threading.Thread(daemon=True, target=flights.wait, args=(each,)))
        threads[-1].start()
        wait_until(lambda before=before: (flights._leaders, len(flights._waiting)) != before)
    return threads


@pytest.mark.usefixtures("patient")
def test_threads_that_were_woken_together_send_in_halves_one_beside_the_other() -> None:
    server = Server()
    flights, slots = Flights(server.send), [slot(b"%d" % n) for n in range(32)]
    flights.woke(32, 0)
    threads = entering(flights, slots[:15])
    assert server.flights == []
    threads += entering(flights, slots[15:])
    # The first half is not confirmed yet.
    wait_until(lambda: len(server.flights) == 2)
    assert [set(flight) for flight in server.flights] == [
        {each.post.body for each in slots[:16]},
        {each.post.body for each in slots[16:]},
    ]
    server.gate.set()
    for each in slots:
        each.put(ANSWER)
    assert ended(threads)
    assert flights._leaders == 0


@pytest.mark.usefixtures("patient")
def test_those_whose_company_waits_for_answers_are_half_of_all() -> None:
    server = Server()
    server.gate.set()
    flights, slots = Flights(server.send), [slot(b"%d" % n) for n in range(10)]
    flights.woke(10, 10)
    threads = entering(flights, slots[:9])
    assert server.flights == []
    threads += entering(flights, slots[9:])
    wait_until(lambda: server.flights)
    assert len(server.flights[0]) == 10
    for each in slots:
        each.put(ANSWER)
    assert ended(threads)


def alone(flights: Flights, server: Server) -> None:
    """One request of a thread that was woken with 31 others, which do not come."""
    flights.woke(32, 0)
    sent, lone = len(server.flights), slot(b"alone")
    threads = [threading.Thread(daemon=True, target=flights.wait, args=(lone,))]
    threads[0].start()
    wait_until(lambda: len(server.flights) > sent)
    lone.put(ANSWER)
    assert ended(threads)


def together(flights: Flights, server: Server) -> None:
    """Half of 32 threads that were woken together, which come: all of them travel in one flight."""
    flights.woke(32, 0)
    sent, slots = len(server.flights), [slot(b"%d" % n) for n in range(16)]
    threads = entering(flights, slots[:15])
    assert len(server.flights) == sent
    threads += entering(flights, slots[15:])
    wait_until(lambda: len(server.flights) > sent)
    assert len(server.flights[sent]) == 16
    for each in slots:
        each.put(ANSWER)
    assert ended(threads)


def test_company_that_does_not_come_is_not_waited_for_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.gate.set()
    flights = Flights(server.send)
    alone(flights, server)
    monkeypatch.setattr(request_flights, "COMPANY_S", PATIENCE_S)
    alone(flights, server)
    together(flights, server)


def test_company_is_waited_for_ever_less_until_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    server.gate.set()
    flights, rests = Flights(server.send), []
    for _ in range(10):
        alone(flights, server)
        rests.append(flights._resting)
        for _ in range(flights._resting):
            flights.woke(32, 0)
    assert rests == [1, 3, 7, 15, 31, 63, 127, 255, 255, 255]
    with monkeypatch.context() as patch:
        patch.setattr(request_flights, "COMPANY_S", PATIENCE_S)
        together(flights, server)
    alone(flights, server)
    assert flights._resting == 1


@pytest.mark.usefixtures("patient")
def test_few_that_were_woken_together_do_not_wait_for_each_other() -> None:
    server = Server()
    server.gate.set()
    flights, lone = Flights(server.send), slot(b"lone")
    flights.woke(8, 0)
    threads = [threading.Thread(daemon=True, target=flights.wait, args=(lone,))]
    threads[0].start()
    wait_until(lambda: server.flights == [[b"lone"]])
    lone.put(ANSWER)
    assert ended(threads)


@pytest.mark.usefixtures("patient")
def test_who_waits_for_company_is_woken_by_its_answer() -> None:
    server = Server()
    server.gate.set()
    flights, slots = Flights(server.send), [slot(b"%d" % n, 100 * PATIENCE_S) for n in range(16)]
    flights.woke(32, 0)
    threads = entering(flights, slots)
    wait_until(lambda: server.flights)
    for each in slots:
        each.put(ANSWER)
    assert ended(threads)


@pytest.mark.usefixtures("patient")
def test_who_leaves_while_it_waits_for_company_leaves_the_sending_to_the_next() -> None:
    server = Server()
    server.gate.set()
    flights, first, second = Flights(server.send), slot(b"first"), slot(b"second")
    flights.woke(32, 0)
    threads = entering(flights, [first, second])
    first.fail(ServerUnreachable("redis://x", "no reply"))
    wait_until(lambda: server.flights)
    assert server.flights == [[b"second"]]
    second.put(ANSWER)
    assert ended(threads)


@pytest.mark.usefixtures("patient")
def test_who_waits_for_company_until_its_time_is_over_is_not_sent() -> None:
    server = Server()
    flights = Flights(server.send)
    flights.woke(32, 0)
    flights.wait(slot(b"brief", 0.05))
    assert server.flights == []
    assert flights._first is None
    assert not flights._waiting

"""Requests of several threads travel together, and each keeps its own deadline and its own failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

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
    assert not flights._busy


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

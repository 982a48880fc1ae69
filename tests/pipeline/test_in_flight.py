"""Messages on their way, before a module's contract changes: which are safe, which break, and which nobody can tell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import msgspec
import pytest

from claude_comm import Publisher, Settings
from claude_comm.client.identity import micros
from claude_comm.client.pipeline.run import Run
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import in_flight as ops
from claude_comm.pipeline import route
from claude_comm.pipeline.in_flight import Pinned, RemainingRoutes, _Prover, in_flight, whole_route
from claude_comm.pipeline.route import Leg
from claude_comm.registry.contracts import Contract, contract
from claude_comm.schema.opaque import OPAQUE
from claude_comm.transport.driver import Client
from tests.support.pipelines import ASK, document, module, prepared, step, up
from tests.support.streams import pending, sent
from tests.support.waiting import PATIENCE_S, wait_until


class Number(msgspec.Struct):
    n: int


class Halved(msgspec.Struct):
    half: float


INT = {"type": "integer"}


def accepting(name: str, schema: Any, replies: Any = None) -> Contract:
    return contract(name, accepts={"message": schema}, replies=None if replies is None else {"message": replies})


def numbers(**bounds: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"n": {**INT, **bounds}}, "required": ["n"]}


class Stopped(Exception):
    """The run is left here."""


@contextmanager
def held_up(client: Client, settings: Settings) -> Iterator[None]:
    """Six inputs on their way from `a` to `b` to `c`: `b` holds one and has five before it."""
    gate = threading.Event()

    def one(payload: Number) -> Number:
        return payload

    def two(payload: Number) -> Halved:
        gate.wait(PATIENCE_S)
        return Halved(payload.n / 2)

    def three(payload: Halved) -> float:
        return payload.half

    modules = [module(settings, "a", one), module(settings, "b", two), module(settings, "c", three)]
    with ExitStack() as stack:
        stack.enter_context(up(client, settings, *modules))
        stack.callback(gate.set)
        session = prepared(client, settings, document(step("a"), step("b"), step("c")), "s")

        def leave(_run: Run) -> None:
            if len(sent(client, settings, "b")) == 6:
                raise Stopped

        with pytest.raises(Stopped):
            Run(client, settings, session, iter([{"n": n} for n in range(6)])).go(leave, 0.0)
        yield


def found(client: Client, settings: Settings, new: Contract) -> RemainingRoutes:
    keys, most = Keys(settings.namespace), settings.max_envelope_bytes
    way = client.run(ops.through(keys, new.module, now_us=micros(), max_bytes=most))
    return in_flight(way.messages, new, way.pinned, ASK)


def test_the_rest_of_each_route_is_proved(settings: Settings, client: Client) -> None:
    half = {"type": "object", "properties": {"half": {"type": "number"}}, "required": ["half"]}
    with held_up(client, settings):
        same = found(client, settings, accepting("b", numbers(), half))
        assert (same.messages, same.sessions, same.safe, same.passes) == (6, 1, 6, True)
        assert same.sentence == "6 in flight: 6 safe"

        narrower = found(client, settings, accepting("b", numbers(maximum=3), half))
        assert (narrower.safe, [finding.input for finding in narrower.findings]) == (4, [4, 5])
        assert {finding.status for finding in narrower.findings} == {"breaks"}
        assert narrower.findings[0].path == "$.n"
        first, second = (finding.message for finding in narrower.findings)
        assert narrower.sentence == f"6 in flight: 4 safe, 2 would break: {first}, {second}"

        other = found(client, settings, accepting("b", numbers(), {"type": "object"}))
        assert [finding.status for finding in other.findings] == ["may break"] * 6
        assert other.findings[0].step == "c"
        assert "would be refused" in other.findings[0].why

        silent = found(client, settings, accepting("b", numbers()))
        assert [finding.status for finding in silent.findings] == ["undecided"] * 6

        renamed = found(client, settings, contract("b", accepts={"other": numbers()}))
        assert "no 'message' messages" in renamed.findings[0].why


def test_what_has_not_come_to_the_module_yet_is_proved_by_its_agreement(settings: Settings, client: Client) -> None:
    wider = {"type": "object", "properties": {"half": {"type": ["number", "null"]}}}
    with held_up(client, settings):
        assert found(client, settings, accepting("c", wider, {"type": "number"})).passes
        narrower = {"type": "object", "properties": {"half": INT}, "required": ["half"]}
        report = found(client, settings, accepting("c", narrower, {"type": "number"}))
        assert (report.safe, {finding.status for finding in report.findings}) == (0, {"may break"})
        # What is past a module does not ask for its contract.
        assert found(client, settings, accepting("a", False)).messages == 0


def test_what_belongs_to_no_run_or_cannot_be_read_is_not_on_its_way(settings: Settings, client: Client) -> None:
    keys, most = Keys(settings.namespace), settings.max_envelope_bytes
    with held_up(client, settings), Publisher("x", settings=settings) as publisher:
        publisher.publish("b", {"n": 7})
        client.data.one(Command(("ZADD", keys.later("b"), "+inf", b"1:\xc1")))
        way = client.run(ops.through(keys, "b", now_us=micros(), max_bytes=most))
        assert [envelope.session for envelope in way.messages] == ["s"] * 6


def test_a_session_that_is_over_has_nothing_in_flight(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    with up(client, settings, module(settings, "a", lambda payload: payload)):
        session = prepared(client, settings, document(step("a")), "s")
        Run(client, settings, session, iter([{"n": 1}])).go(lambda _run: None, 1.0)
        way = client.run(ops.through(keys, "a", now_us=micros(), max_bytes=settings.max_envelope_bytes))
    assert (way.sessions, way.messages) == ([], [])


def test_a_part_that_waits_in_a_join_is_on_its_way(settings: Settings, client: Client) -> None:
    gate = threading.Event()

    def slow(payload: Number) -> Number:
        gate.wait(PATIENCE_S)
        return payload

    def quick(payload: Number) -> Number:
        return payload

    class Both(msgspec.Struct):
        b: Number
        c: Number

    def joined(payload: Both) -> int:
        return payload.b.n

    joined.__annotations__["payload"] = Both
    pipeline = document(step("a", after=[]), step("b", after="a"), step("c", after="a"), step("d", after=["b", "c"]))
    parts: list[Number] = []

    def other(payload: Number) -> Number:
        parts.append(payload)
        return payload

    modules = [
        module(settings, "a", quick),
        module(settings, "b", slow),
        module(settings, "c", other),
        module(settings, "d", joined),
    ]
    with ExitStack() as stack:
        stack.enter_context(up(client, settings, *modules))
        stack.callback(gate.set)
        session = prepared(client, settings, pipeline, "s", allow_undeclared=False)

        def leave(_run: Run) -> None:
            raise Stopped

        with pytest.raises(Stopped):
            Run(client, settings, session, iter([{"n": 1}])).go(leave, 0.0)
        both = {"b": numbers(), "c": numbers()}
        whole = {"type": "object", "properties": both, "required": ["b", "c"]}
        # Until it is acked, the message that `c` has handled counts beside the part that came of it.
        wait_until(lambda: parts and pending(client, Keys(settings.namespace), "c") == 0, what="the end of c")
        wait_until(lambda: found(client, settings, accepting("d", whole, INT)).messages == 2, what="the part")
        assert found(client, settings, accepting("d", whole, INT)).passes
        strings = {**whole, "properties": {**both, "c": {"type": "string"}}}
        refused = found(client, settings, accepting("d", strings, INT))
        assert [finding.status for finding in refused.findings] == ["may break"] * 2
        # And what a branch returns is held to its place in what is joined.
        halves = {"type": "object", "properties": {"half": {"type": "number"}}, "required": ["half"]}
        branch = found(client, settings, accepting("b", numbers(), halves))
        assert [(finding.status, finding.step) for finding in branch.findings] == [("may break", "d")]


AT_B = "agreement with b"
AT_C = "agreement with c"
COUNT = numbers()


def outlooks(new: Contract, accepted: Any = COUNT, *, known: bool = True, **marks: Any) -> list[tuple[str, str]]:
    """What is to be expected of `b` and of `c`, which follows it, without a server."""
    legs = [
        Leg(step="start", next={"b": 1}),
        Leg(step="b", type="message", agreement=AT_B, next={"c": 2}, **marks),
        Leg(step="c", type="message", agreement=AT_C, next={"end": 3}),
        Leg(step="end"),
    ]
    pinned = {AT_B: Pinned(COUNT, COUNT), AT_C: Pinned(accepted, accepted)} if known else {}
    way = route.read(tuple(map(route.write, legs)))
    return [(outlook.step, outlook.status) for outlook in whole_route(way, {}, new, pinned, ASK)]


CODED = {**COUNT, OPAQUE: "a validator decides"}


@pytest.mark.parametrize(
    ("new", "more", "expected"),
    [
        (accepting("b", COUNT, COUNT), {}, [("b", "safe"), ("c", "safe")]),
        (contract("b", accepts={"other": True}), {}, [("b", "breaks"), ("c", "undecided")]),
        (accepting("b", COUNT, COUNT), {"known": False}, [("b", "undecided")]),
        (accepting("b", CODED, COUNT), {}, [("b", "undecided"), ("c", "safe")]),
        (accepting("b", COUNT, {"type": "object"}), {"carry": ("n",)}, [("b", "safe"), ("c", "safe")]),
        (accepting("b", COUNT, INT), {"split": True}, [("b", "safe"), ("c", "may break"), ("c", "may break")]),
        (
            accepting("b", COUNT, COUNT),
            {"repeat": route.RouteLoop("b", 3, 9, True)},
            [("b", "safe"), ("c", "safe"), ("b", "safe")],
        ),
    ],
    ids=["the same", "another type", "no agreement", "code", "carried", "no list any more", "again"],
)
def test_each_step_that_has_to_do_with_the_module_is_asked_about(new: Contract, more: Any, expected: Any) -> None:
    assert outlooks(new, **more) == expected


def test_a_join_that_takes_anything_of_a_step_asks_nothing_of_it() -> None:
    way = route.read(
        (
            route.write(Leg(step="b", next={"j": 1})),
            route.write(Leg(step="c", next={"j": 2})),
            route.write(Leg(step="j", agreement="x", after=("b", "c"))),
            route.write(Leg(step="end")),
        )
    )
    new, leg, join = accepting("b", numbers(), numbers()), way.legs["b"], way.legs["j"]

    def outlooks(accepted: Any) -> int:
        return len(list(_Prover(new, {"x": Pinned(True, accepted)}, ASK)._leaving(way, leg, join)))

    assert outlooks({"properties": {"b": {"type": "string"}}}) == 1
    assert outlooks({"properties": {"c": {"type": "string"}}}) == 0

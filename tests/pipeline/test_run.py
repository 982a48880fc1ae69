"""Runs of pipelines on real servers: what comes out, in which order, and what becomes of failures."""

from __future__ import annotations

import datetime
import threading
from typing import Any

import msgspec
import pytest

from claude_comm import Consumer, Context, Module, Publisher, Settings
from claude_comm.delivery.burial import Where
from claude_comm.effects import Command
from claude_comm.envelope import compose, encode, pack
from claude_comm.names import Keys
from claude_comm.ops import dead as burials
from claude_comm.ops import registration
from claude_comm.pipeline.plan import collector
from claude_comm.pipeline.tally import Failed, Finished, Untaken
from claude_comm.registry.contracts import contract
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, prepared, results, run, step, up
from tests.support.streams import dead, sent
from tests.support.waiting import wait_until


class Number(msgspec.Struct):
    n: int


class Doubled(msgspec.Struct):
    n: int
    twice: int


def double(payload: Number) -> Doubled:
    return Doubled(payload.n, 2 * payload.n)


def add_one(payload: Any) -> Any:
    return {**payload, "n": payload["n"] + 1}


def test_what_a_handler_returns_goes_to_the_next_step(settings: Settings, client: Client) -> None:
    """Typed, untyped and `async` handlers, none of which knows of a pipeline."""

    async def describe(payload: Doubled) -> Any:
        return {"text": f"{payload.n}:{payload.twice}"}

    modules = [
        module(settings, "one", add_one),
        module(settings, "two", double),
        module(settings, "three", describe, concurrency=4),
    ]
    with up(client, settings, *modules):
        ended = results(
            client, settings, document(step("one"), step("two"), step("three")), [{"n": n} for n in range(50)]
        )
    assert ended == [Finished(input=n, result={"text": f"{n + 1}:{2 * n + 2}"}) for n in range(50)]


def test_messages_carry_the_steps_that_are_still_to_come(settings: Settings, client: Client) -> None:
    with up(client, settings, module(settings, "one", add_one), module(settings, "two", add_one)):
        results(client, settings, document(step("one"), step("two")), [{"n": 1}])
    end = collector("s")
    routes = [
        [text.partition(" ")[0] for text in sent(client, settings, name)[0].route] for name in ("one", "two", end)
    ]
    assert routes == [["one", "two", end], ["two", end], [end]]
    (first,), (second,), (last,) = (sent(client, settings, name) for name in ("one", "two", end))
    assert first.session == second.session == last.session == "s"
    assert first.correlation == second.correlation == last.correlation
    assert (second.causation, last.causation) == (first.id, second.id)


def test_a_fan_out_is_joined_by_the_names_of_its_branches(settings: Settings, client: Client) -> None:
    def total(payload: Any) -> Any:
        return payload["left"]["n"] * 100 + payload["right"]["twice"]

    pipeline = document(
        step("split", after=[]),
        step("left", after="split"),
        step("right", after="split"),
        step("total", after=["left", "right"]),
    )
    modules = [
        module(settings, "split", add_one),
        module(settings, "left", add_one, concurrency=2),
        module(settings, "right", double),
        module(settings, "total", total),
    ]
    with up(client, settings, *modules):
        ended = results(client, settings, pipeline, [{"n": n} for n in range(40)])
    assert ended == [Finished(input=n, result=(n + 2) * 100 + 2 * (n + 1)) for n in range(40)]


def test_several_ends_make_one_result_with_a_property_for_each(settings: Settings, client: Client) -> None:
    pipeline = document(step("a", after=[]), step("b", after="a"), step("c", after="a"))
    with up(client, settings, *(module(settings, name, add_one) for name in "abc")):
        ended = results(client, settings, pipeline, [{"n": 0}, {"n": 10}])
    assert ended == [
        Finished(input=0, result={"b": {"n": 2}, "c": {"n": 2}}),
        Finished(input=1, result={"b": {"n": 12}, "c": {"n": 12}}),
    ]


def test_a_condition_passes_a_step_by_and_a_branch_out(settings: Settings, client: Client) -> None:
    large = {"properties": {"n": {"minimum": 10}}}
    chain = document(step("a"), step("b", when=large), step("c"))
    fork = document(
        step("a", after=[]),
        step("b", after="a", when=large),
        step("c", after="a", when={"not": large}),
        step("join", after=["b", "c"]),
    )

    def names(payload: Any) -> Any:
        return sorted(payload)

    modules = [*(module(settings, name, add_one) for name in "abc"), module(settings, "join", names)]
    with up(client, settings, *modules):
        assert results(client, settings, chain, [{"n": 0}, {"n": 10}]) == [
            Finished(input=0, result={"n": 2}),
            Finished(input=1, result={"n": 13}),
        ]
        session = prepared(client, settings, fork, "forked")
        ended = list(run(client, settings, session, [{"n": 0}, {"n": 10}]).tally.results())
    assert ended == [Finished(input=0, result=["c"]), Finished(input=1, result=["b"])]


def test_an_input_for_which_no_branch_is_taken_has_an_end(settings: Settings, client: Client) -> None:
    never = {"properties": {"n": {"minimum": 1000}}}
    pipeline = document(
        step("a", after=[]),
        step("b", after="a", when=never),
        step("c", after="a", when=never),
        step("d", after=["b", "c"]),
    )
    with up(client, settings, *(module(settings, name, add_one) for name in "abcd")):
        assert results(client, settings, pipeline, [{"n": 0}]) == [Untaken(input=0)]


def test_a_failure_has_its_place_and_stops_no_other_input(settings: Settings, client: Client) -> None:
    def picky(payload: Number) -> Number:
        if payload.n == 3:
            raise ValueError("three is too many")
        return payload

    with up(client, settings, module(settings, "a", add_one), module(settings, "b", picky)):
        ended = results(client, settings, document(step("a"), step("b")), [{"n": n} for n in range(4)] + [{"n": "x"}])
    assert [each.input for each in ended if isinstance(each, Finished)] == [0, 1, 3]
    failed, refused = (each for each in ended if isinstance(each, Failed))
    assert (failed.input, failed.step, failed.module) == (2, "b", "b")
    assert "three is too many" in failed.error
    (buried,) = (one for one in dead(client, Keys(settings.namespace), "b"))
    assert failed.message.encode() in buried[b"e"]
    assert (refused.input, refused.step) == (4, "a")


def test_a_part_that_is_buried_completes_the_join_as_failed(settings: Settings, client: Client) -> None:
    def fails(_payload: Any) -> None:
        raise RuntimeError("no")

    pipeline = document(
        step("a", after=[]),
        step("b", after="a"),
        step("c", after="a"),
        step("inner", after=["b", "c"]),
        step("outer", after=["inner", "c"]),
    )
    seen: list[Any] = []
    modules = [
        module(settings, "a", add_one),
        module(settings, "b", fails),
        module(settings, "c", add_one),
        module(settings, "inner", seen.append),
        module(settings, "outer", seen.append),
    ]
    keys = Keys(settings.namespace)
    with up(client, settings, *modules):
        (ended,) = results(client, settings, pipeline, [{"n": 1}])
        assert isinstance(ended, Failed)
        assert ended.step == "b"

        def parts(name: str) -> int:
            return int(client.data.one(Command(("HLEN", keys.join(name, "s")))))

        # Both parts of each join have come: nothing is waited for.
        wait_until(lambda: parts("inner") == parts("outer") == 2)
    assert seen == []


def test_what_an_optional_step_cannot_handle_goes_on_as_it_came(settings: Settings, client: Client) -> None:
    def picky(payload: Number) -> Number:
        if payload.n > 5:
            raise ValueError("too many")
        return Number(-payload.n)

    pipeline = document(step("a"), step("b", optional=True), step("absent", optional=True), step("c"))
    with up(
        client, settings, module(settings, "a", add_one), module(settings, "b", picky), module(settings, "c", add_one)
    ):
        ended = results(client, settings, pipeline, [{"n": 1}, {"n": 9}])
    assert ended == [Finished(input=0, result={"n": -1}), Finished(input=1, result={"n": 11})]


def test_a_loop_ends_by_its_condition_or_its_bound(settings: Settings, client: Client) -> None:
    small = {"properties": {"n": {"maximum": 9}}}
    pipeline = document(step("a"), step("b"), step("c", repeat={"from": "b", "most": 4, "while": small}), step("d"))
    with up(client, settings, *(module(settings, name, add_one) for name in "abcd")):
        ended = results(client, settings, pipeline, [{"n": 0}, {"n": 5}, {"n": 20}])
    # a, then b and c four times at the most, then d.
    assert ended == [
        Finished(input=0, result={"n": 10}),
        Finished(input=1, result={"n": 11}),
        Finished(input=2, result={"n": 24}),
    ]


def test_one_module_may_do_several_steps(settings: Settings, client: Client) -> None:
    pipeline = document(
        step("first", module="m", after=[]),
        step("left", module="m", after="first"),
        step("right", module="m", after="first"),
        step("join", after=["left", "right"]),
    )
    with up(client, settings, module(settings, "m", add_one), module(settings, "join", lambda payload: payload)):
        ended = results(client, settings, pipeline, [{"n": 0}])
    assert ended == [Finished(input=0, result={"left": {"n": 2}, "right": {"n": 2}})]


def test_a_batch_handler_returns_a_result_for_each(settings: Settings, client: Client) -> None:
    made = Module("batch", settings=settings)

    @made.handles_batch(max=20)
    def handle(payloads: list[Number]) -> Any:
        return [payload.n * 10 for payload in payloads]

    with up(client, settings, made):
        ended = results(client, settings, document(step("batch")), [{"n": n} for n in range(60)])
    assert ended == [Finished(input=n, result=n * 10) for n in range(60)]


def test_an_adapter_is_applied_by_the_step_and_what_was_sent_is_kept(settings: Settings, client: Client) -> None:
    def marked(payload: Any) -> Any:
        return payload

    pipeline = document(
        step("a"), step("b", adapter=[{"step": "rename", "name": "n", "to": "m"}], carry=["m"]), step("c")
    )
    with up(
        client,
        settings,
        module(settings, "a", add_one),
        module(settings, "b", lambda _: {"x": 1}),
        module(settings, "c", marked),
    ):
        ended = results(client, settings, pipeline, [{"n": 1}])
    assert ended == [Finished(input=0, result={"m": 2, "x": 1})]
    assert sent(client, settings, "b")[0].payload() == {"n": 2}


def test_an_expired_input_fails_and_is_told(settings: Settings, client: Client) -> None:
    gate, begun = threading.Event(), threading.Event()

    def slow(payload: Any, context: Context) -> Any:
        begun.set()
        gate.wait(30)
        return payload

    with up(client, settings, module(settings, "slow", slow)):
        made = prepared(client, settings, document(step("slow")))
        inputs = [{"n": 1}, {"n": 2}]

        def release() -> None:
            begun.wait(30)
            threading.Timer(0.3, gate.set).start()

        threading.Thread(target=release).start()
        ended = list(run(client, settings, made, inputs, ttl_s=0.2).tally.results())
    reasons = [each.reason for each in ended if isinstance(each, Failed)]
    assert "expired" in reasons


@pytest.mark.parametrize("window", [1, 3])
def test_no_more_inputs_are_on_their_way_than_the_window_has_room_for(
    settings: Settings, client: Client, window: int
) -> None:
    waiting: list[int] = []

    def count(payload: Any) -> Any:
        waiting.append(len(sent(client, settings, "one")))
        return payload

    with up(client, settings, module(settings, "one", count)):
        ended = results(client, settings, document(step("one")), [{"n": n} for n in range(12)], window=window)
    assert len(ended) == 12
    assert all(seen <= handled + window for handled, seen in enumerate(waiting))


class Scan(msgspec.Struct):
    at: datetime.datetime
    data: bytes


def test_typed_values_arrive_as_they_were_under_the_pinned_agreement(settings: Settings, client: Client) -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    seen: list[Scan] = []

    def scan(payload: Number) -> Scan:
        return Scan(moment, bytes([payload.n]))

    def keep(payload: Scan) -> None:
        seen.append(payload)

    with up(client, settings, module(settings, "scan", scan), module(settings, "keep", keep)):
        session = prepared(client, settings, document(step("scan"), step("keep")), allow_undeclared=False)
        run(client, settings, session, [{"n": 255}])
    assert seen == [Scan(moment, b"\xff")]
    (message,) = sent(client, settings, "keep")
    assert message.agreement == session.whole.legs["keep"].agreement != ""
    assert message.payload() == {"at": "2026-01-02T03:04:05Z", "data": "/w=="}


def test_a_bare_consumer_passes_on_with_its_reply(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    done = threading.Event()

    def consume() -> None:
        with Consumer("bare", settings=settings) as consumer:
            while not done.is_set():
                for delivery in consumer.read(wait_s=0.05):
                    consumer.reply(delivery, {"n": delivery.payload()["n"] * 10})
                    consumer.ack(delivery)

    client.run(registration.register(keys, contract("bare")))
    thread = threading.Thread(target=consume)
    thread.start()
    try:
        with up(client, settings, module(settings, "a", add_one)):
            assert results(client, settings, document(step("bare"), step("a")), [{"n": 1}]) == [
                Finished(input=0, result={"n": 11})
            ]
    finally:
        done.set()
        thread.join()


def test_a_buried_message_that_is_redriven_goes_on_along_its_route(settings: Settings, client: Client) -> None:
    """Also as a part: the join that had failed is completed after all."""
    keys = Keys(settings.namespace)
    broken = True

    def fragile(payload: Any) -> Any:
        if broken:
            raise RuntimeError("not yet")
        return payload

    pipeline = document(step("a", after=[]), step("b", after="a"), step("c", after="a"), step("d", after=["b", "c"]))
    functions = {"a": add_one, "b": fragile, "c": add_one, "d": lambda payload: payload}
    with up(client, settings, *(module(settings, name, function) for name, function in functions.items())):
        session = prepared(client, settings, pipeline)
        (failed,) = run(client, settings, session, [{"n": 0}]).tally.results()
        assert isinstance(failed, Failed)
        broken = False
        # The notice of the failure goes out before the burial: a crash between the two repeats it.
        wait_until(lambda: dead(client, keys, "b"), what="the burial")
        moved = client.run(
            burials.redrive(keys, "b", Where(), lambda _burial: b"", limit=None, max_bytes=settings.max_envelope_bytes)
        )
        assert moved == 1
        # Beside the notice of the failure there is a result now.
        wait_until(lambda: len(sent(client, settings, collector("s"))) == 2, what="the result")
        ended = list(run(client, settings, session, [{"n": 0}]).tally.results())
    assert ended == [Finished(input=0, result={"b": {"n": 1}, "c": {"n": 2}})]


def test_an_input_that_has_ended_is_not_sent_again(settings: Settings, client: Client) -> None:
    def picky(payload: Number) -> Number:
        if payload.n == 1:
            raise ValueError("one")
        return payload

    inputs = [{"n": n} for n in range(3)]
    with up(client, settings, module(settings, "a", picky)):
        session = prepared(client, settings, document(step("a")))
        first = list(run(client, settings, session, inputs[:2]).tally.results())
        ids = [message.id for message in sent(client, settings, "a")]
        second = list(run(client, settings, session, inputs).tally.results())
    assert second[:2] == first
    assert second[2] == Finished(input=2, result={"n": 2})
    assert [message.id for message in sent(client, settings, "a")][:2] == ids
    assert len(sent(client, settings, "a")) == 3


def test_what_somebody_else_puts_into_the_collector_is_passed_over(settings: Settings, client: Client) -> None:
    with up(client, settings, module(settings, "a", add_one)):
        session = prepared(client, settings, document(step("a")))
        end = collector("s")
        with Publisher("stranger", settings=settings) as publisher:
            publisher.publish(end, {"n": 99}, session="s")
            publisher.publish(end, {"reason": "no"}, type="comm.failure", session="s")
        client.data.one(Command(("XADD", Keys(settings.namespace).inbox(end), "*", "e", b"\xff")))
        client.data.one(Command(("XADD", Keys(settings.namespace).inbox(end), "*", "x", b"y")))
        assert list(run(client, settings, session, [{"n": 1}]).tally.results()) == [Finished(input=0, result={"n": 2})]


def test_a_route_that_cannot_be_read_is_buried_with_the_reason(settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    seen: list[Any] = []
    envelope = compose(id="x", time_us=1, source="a", target="a", data=pack(1))
    routed = msgspec.structs.replace(envelope, route=("a {",))
    with up(client, settings, module(settings, "a", seen.append)):
        client.data.one(Command(("XADD", keys.inbox("a"), "*", "e", encode(routed))))
        wait_until(lambda: len(dead(client, keys, "a")) == 1)
    assert b"its route cannot be read" in dead(client, keys, "a")[0][b"reason"]
    assert seen == []

"""The sources of `impact`, each by itself: messages wherever they lie, declarations, pipelines, another namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import Consumer, Publisher, Settings
from claude_comm.client.impact.assessment import ImpactScope, assess
from claude_comm.impact.effects import Effect, Impact
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.registry.contracts import Contract, Produced, contract
from claude_comm.schema.evolution.adapter import Default
from claude_comm.store.database import open_database
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, prepared, run, step, up
from tests.support.pipelines import module as step_module


def number(**bounds: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"n": {"type": "integer", **bounds}}, "required": ["n"]}


SMALL = number(maximum=10)


@pytest.fixture
def judged(client: Client, settings: Settings, tmp_path: Path) -> Any:
    """What becomes of a new contract of `sink`."""

    def judge(new: Contract, *, days: int = 30, against: Settings | None = None) -> Impact:
        with open_database(tmp_path / "projection.db") as database:
            return assess(client, database, against or settings, new, ImpactScope(days=days))

    return judge


def register(client: Client, settings: Settings, declared: Contract) -> None:
    client.run(registration.register(Keys(settings.namespace), declared))


def of(impact: Impact, partner: str) -> Effect:
    [effect] = [effect for effect in impact.effects if effect.partner == partner]
    return effect


def test_messages_that_fail_are_found_wherever_they_lie(client: Client, settings: Settings, judged: Any) -> None:
    register(client, settings, contract("sink", accepts={"message": number()}))
    with Publisher("src", settings=settings) as publisher:
        publisher.negotiate("sink", number(), type="message")
        settled, buried, pending = publisher.publish_many("sink", [{"n": 20}, {"n": 21}, {"n": 22}])
        with Consumer("sink", settings=settings) as consumer:
            left = []
            while len(left) < 3:
                left += consumer.read()
            consumer.ack(left[0])
            consumer.fail(left[1], "no")
            consumer.flush()
            [delayed] = publisher.publish_many("sink", [{"n": 23}], delay_s=600)
            waiting = publisher.publish("sink", {"n": 24})
            publisher.publish_many("sink", [{"n": number} for number in range(10)])
            impact = judged(contract("sink", version="2.0.0", accepts={"message": SMALL}))
    effect = of(impact, "src")
    assert {message.id: message.where for message in effect.failing} == {
        settled: "settled",
        buried: "dead",
        pending: "pending",
        delayed: "delayed",
        waiting: "waiting",
    }
    assert effect.status == impact.status == "broken"


def test_what_is_refused_today_as_well_is_no_reason(client: Client, settings: Settings, judged: Any) -> None:
    register(client, settings, contract("sink", accepts={"message": number()}))
    with Publisher("src", settings=settings, enforcement="off") as publisher:
        publisher.publish("sink", {"n": "text"})
        publisher.publish("sink", {"n": 1})
    effect = of(judged(contract("sink", version="2.0.0", accepts={"message": number(minimum=-(2**70))})), "src")
    assert (effect.failing, effect.refused_before, effect.messages) == ([], 1, 1)
    # Nobody declared anything, and all that was accepted is not accepted.
    assert effect.status == "undecided"


def test_a_sender_without_a_declaration_is_safe_where_everything_is_kept(
    client: Client, settings: Settings, judged: Any
) -> None:
    register(client, settings, contract("sink", accepts={"message": SMALL}))
    with Publisher("src", settings=settings) as publisher:
        publisher.publish("sink", {"n": 1})
    assert (
        of(judged(contract("sink", version="2.0.0", accepts={"message": number(maximum=20)})), "src").status == "safe"
    )


def test_messages_are_adapted_before_they_are_judged(client: Client, settings: Settings, judged: Any) -> None:
    register(client, settings, contract("sink", accepts={"message": number()}))
    with Publisher("src", settings=settings) as publisher:
        publisher.negotiate("sink", number(), type="message")
        publisher.publish("sink", {"n": 1})
    more = {
        "type": "object",
        "properties": {"n": True, "unit": {"type": "string", "default": "m"}},
        "required": ["unit"],
    }
    effect = of(judged(contract("sink", version="2.0.0", accepts={"message": more})), "src")
    assert (effect.status, effect.failing, effect.messages) == ("adapted", [], 1)
    assert Default(name="unit", value="m").name in effect.adapter[0]


def test_a_topic_is_weighed_with_those_who_publish_to_it(client: Client, settings: Settings, judged: Any) -> None:
    register(client, settings, contract("sink", accepts={"event": number()}, topics=["news"]))
    with Publisher("src", settings=settings) as publisher:
        publisher.negotiate("topic:news", number(), type="event")
        bad = publisher.publish("topic:news", {"n": 30}, type="event")
        publisher.publish("topic:news", {"n": 3}, type="event")
    effect = of(judged(contract("sink", version="2.0.0", accepts={"event": SMALL}, topics=["news"])), "src")
    assert (effect.status, [message.id for message in effect.failing]) == ("broken", [bad])


def test_what_others_have_declared_is_weighed_before_they_negotiate(
    client: Client, settings: Settings, judged: Any
) -> None:
    register(client, settings, contract("src", produces=[Produced("message", number(maximum=5), "sink")]))
    register(client, settings, contract("next", accepts={"out": SMALL}))
    new = contract("sink", accepts={"message": SMALL}, produces=[Produced("out", number(), "next")])
    impact = judged(new)
    assert (of(impact, "src").status, of(impact, "src").direction) == ("safe", "receives")
    assert (of(impact, "next").status, of(impact, "next").direction) == ("broken", "sends")


def test_what_is_answered_must_be_what_was_answered(client: Client, settings: Settings, judged: Any) -> None:
    register(client, settings, contract("sink", accepts={"message": number()}, replies={"message": SMALL}))
    new = contract("sink", version="2.0.0", accepts={"message": number()}, replies={"message": number()})
    [effect] = [effect for effect in judged(new).effects if effect.direction == "answers"]
    assert effect.status == "broken"
    assert effect.witness["n"] > 10


def test_another_namespace_is_weighed_by_its_own_modules(client: Client, settings: Settings, judged: Any) -> None:
    production = msgspec.structs.replace(settings, namespace=f"{settings.namespace}-prod")
    for where, schema in ((settings, SMALL), (production, number())):
        register(client, where, contract("sink", accepts={"message": schema}))
        with Publisher("src", settings=where) as publisher:
            publisher.negotiate("sink", schema, type="message")
    new = contract("sink", version="2.0.0", accepts={"message": SMALL})
    assert judged(new).status == "safe"
    assert judged(new, against=production).status == "broken"


class Number(msgspec.Struct):
    n: int


def test_pipelines_that_ran_are_weighed_step_by_step(client: Client, settings: Settings, judged: Any) -> None:
    def first(payload: Number) -> Number:
        return payload

    def sink(payload: Number) -> Number:
        return payload

    def last(payload: Number) -> None:
        return None

    modules = [step_module(settings, name, work) for name, work in (("first", first), ("sink", sink), ("last", last))]
    with up(client, settings, *modules):
        session = prepared(client, settings, document(step("first"), step("sink"), step("last")), "s")
        run(client, settings, session, [{"n": 1}])
        same = judged(contract("sink", version="2.0.0", accepts={"message": number()}, replies={"message": number()}))
        worse = judged(contract("sink", version="2.0.0", accepts={"message": SMALL}, replies={"message": {}}))
    steps = [effect for effect in same.effects if effect.direction == "pipeline"]
    assert {effect.why.partition(":")[0]: effect.status for effect in steps} == {
        "step sink": "safe",
        "step last": "safe",
    }
    steps = [effect for effect in worse.effects if effect.direction == "pipeline"]
    assert {effect.status for effect in steps} == {"broken"}
    assert same.coverage[4].looked_at == 2


def test_nothing_is_safe_because_nothing_was_found(client: Client, settings: Settings, judged: Any) -> None:
    register(client, settings, contract("sink", accepts={"message": number()}))
    impact = judged(contract("sink", version="2.0.0", accepts={"message": SMALL}))
    assert impact.status == "undecided"

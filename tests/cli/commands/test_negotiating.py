"""`negotiate-schema`, `modules`, `agreements`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm import ModuleCommunicator, Publisher
from claude_comm.client.identity import millis
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.ops import agreements, heartbeats, registration
from claude_comm.registry.contracts import contract
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client

TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def obj(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


EXAMPLE = {
    "source_module": "data_producer",
    "target_module": "data_processor",
    "schema": {
        "input": {"type": "object", "properties": {"data": {"type": "array"}, "timestamp": {"type": "string"}}},
        "output": {
            "type": "object",
            "properties": {"processed_data": {"type": "array"}, "metadata": {"type": "object"}},
        },
    },
}


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def registered(settings: Settings) -> None:
    """`till` accepts orders and answers receipts; `shop` accepts receipts."""
    with ModuleCommunicator("till", settings=settings) as till:
        till.register(accepts={"order": obj(("sku",), sku=TEXT)}, produces={"order": obj(("total",), total=NUMBER)})
    with ModuleCommunicator("shop", settings=settings) as shop:
        shop.register(accepts={"order": obj(("total",), total=NUMBER)})


def document(input_: Any, output: Any, **more: Any) -> dict[str, Any]:
    return {"source_module": "shop", "target_module": "till", "schema": {"input": input_, "output": output}, **more}


def test_the_example_is_agreed_and_stored(run: Any, file: Callable[..., str]) -> None:
    assert run("negotiate-schema", file(EXAMPLE)).code == 0
    stored = run("agreements", "--json").json
    assert {(one["producer"], one["consumer"]) for one in stored} == {
        ("data_producer", "data_processor"),
        ("data_processor", "data_producer"),
    }
    again = run("negotiate-schema", file(EXAMPLE), "--json").json["agreements"]
    assert {one["id"] for one in again} == {one["id"] for one in stored}
    assert len(run("agreements", "--json").json) == 2


@pytest.mark.usefixtures("registered")
def test_registered_contracts_are_weighed(run: Any, file: Callable[..., str]) -> None:
    fits = document(obj(("sku",), sku=TEXT), obj(("total",), total=NUMBER))
    assert run("negotiate-schema", file(fits)).code == 0

    lacking = run("negotiate-schema", file(document(obj(sku=TEXT), obj(("total",), total=NUMBER))))
    assert lacking.code == 1
    assert "    {}\n" in lacking.out

    narrow = document(obj(("sku",), sku=TEXT), obj(("total",), total={"type": "integer"}))
    ran = run("negotiate-schema", file(narrow), "--json")
    assert ran.code == 1
    (claim,) = ran.json["claims"]
    assert (claim["claim"]["module"], claim["claim"]["part"], claim["verdict"]["answer"]) == (
        "till",
        "output",
        "incompatible",
    )


@pytest.mark.usefixtures("registered")
def test_a_type_that_the_target_does_not_accept_is_named(run: Any, file: Callable[..., str]) -> None:
    ran = run("negotiate-schema", file(document({}, {}, type="refund")))
    assert ran.code == 2
    assert "'order'" in ran.err


def test_every_problem_of_the_document_is_named(run: Any, file: Callable[..., str]) -> None:
    ran = run("negotiate-schema", file(document({"type": "objct"}, {"required": "x", "minimum": "y"})))
    assert ran.code == 2
    for place in ("$.schema.input.type", "$.schema.output.required", "$.schema.output.minimum"):
        assert place in ran.err
    assert run("agreements", "--json").json == []


@pytest.mark.usefixtures("registered")
def test_modules_lists_what_is_declared(run: Any) -> None:
    shop, till = run("modules", "--json").json
    assert (shop["module"], till["module"]) == ("shop", "till")
    assert till["accepts"] == ["order"]
    assert run("module", "show", "till", "--json").json["accepts"] == {"order": obj(("sku",), sku=TEXT)}
    assert till["produces"][0]["type"] == "order"
    assert "order -> any" in run("modules").out


@pytest.mark.usefixtures("registered")
def test_agreements_are_filtered_by_module(run: Any, file: Callable[..., str]) -> None:
    run("negotiate-schema", file(document(obj(sku=TEXT), obj(("total",), total=NUMBER))))
    run("negotiate-schema", file(EXAMPLE))
    assert len(run("agreements", "--json").json) == 4
    assert len(run("agreements", "--module", "till", "--json").json) == 2
    assert "would be refused" in run("agreements", "-m", "till").out
    assert "no agreement with 'nobody'" in run("agreements", "-m", "nobody").err


def test_what_cannot_be_read_is_one_line_and_is_written_anew(run: Any, settings: Settings, client: Client) -> None:
    """Another program wrote into the registry: the rest is shown all the same."""
    keys = Keys(settings.namespace)
    with ModuleCommunicator("good", settings=settings) as communicator:
        communicator.register(accepts={"n": {"type": "integer"}})
    with Publisher("asker", settings=settings) as publisher:
        agreement = publisher.negotiate("good", {"type": "integer"}, type="n")
    for key, field in ((keys.modules, "odd"), (keys.modules, b"\xff"), (keys.agreements, "abc")):
        client.data.one(Command(("HSET", key, field, b"\x00 no JSON")))
    listed = run("modules")
    assert (listed.code, listed.err) == (0, "")
    assert [line.split()[0] for line in listed.out.splitlines()[1:]] == ["good", "\\xff", "odd"]
    assert {row["module"]: "unreadable" in row for row in run("modules", "--json").json} == {
        "good": False, "\\xff": True, "odd": True,
    }  # fmt: skip
    assert [row["id"] for row in run("agreements", "--json").json] == [agreement.id, "abc"]
    assert "abc" in run("agreements").out
    # Under the id of another question, or unreadable: the question is decided anew.
    for wrong in (b"{}", client.data.one(Command(("HGET", keys.agreements, agreement.id)))):
        other = "0" * 64 if wrong != b"{}" else agreement.id
        client.data.one(Command(("HSET", keys.agreements, other, wrong)))
        assert client.run(agreements.find(keys, other)) is None
    with Publisher("asker", settings=settings) as publisher:
        assert publisher.negotiate("good", {"type": "integer"}, type="n").id == agreement.id
    assert client.run(agreements.find(keys, agreement.id)) is not None
    sent = run("send", "a", "odd", "1")
    assert (sent.code, "sent unchecked" in sent.err) == (0, True)


def test_a_document_is_held_to_every_version_in_the_order_that_the_consumer_prefers(
    run: Any, file: Any, settings: Settings, client: Client
) -> None:
    keys = Keys(settings.namespace)
    number, text = ({"type": "object", "properties": {"n": {"type": kind}}} for kind in ("boolean", "object"))
    either = {"type": "object", "properties": {"n": {"type": ["boolean", "object"]}}}
    for version, schema in (("1.0.0", number), ("1.1.0", either), ("2.0.0", text)):
        declared = contract("sink", version=version, accepts={"item": schema}, prefers=["^1"])
        client.run(registration.register(keys, declared, instance=f"i{version}"))
        client.run(heartbeats.beat(keys.instances, f"sink/i{version}", now_ms=millis()))

    def agreed(sent: Any) -> tuple[int, list[str]]:
        document = {"source_module": "src", "target_module": "sink", "schema": {"input": sent, "output": True}}
        ran = run("negotiate-schema", file(document), "--json")
        there = [one for one in ran.json["agreements"] if one["consumer"] == "sink"]
        return ran.code, [one["consumer_version"] for one in there]

    assert agreed(number) == (0, ["1.1.0"])
    assert agreed(text) == (0, ["1.1.0"])
    client.run(registration.leave(keys, "sink", "i1.1.0", now_us=1))
    client.run(heartbeats.stop_beating(keys.instances, "sink/i1.1.0"))
    assert agreed(number) == (0, ["1.0.0"])
    assert agreed(text) == (0, ["2.0.0"])
    # What fits none is refused by each, the preferred one first.
    assert agreed({"type": "null"}) == (1, ["1.0.0", "2.0.0"])


def test_a_refusal_is_answered_until_both_agree(run: Any, file: Any, settings: Settings, client: Client) -> None:
    sent, taken = obj(("document",), document=TEXT), obj(("documents",), documents=TEXT)
    run("module", "register", file({"module": "src", "produces": [{"type": "item", "schema": sent}]}))
    run("module", "register", file({"module": "sink", "accepts": {"item": taken}}))
    assert run("negotiate", "src", "sink").code == 1

    offer = file({"by": "consumer", "accepted": {"anyOf": [taken, sent]}, "note": "from 2.0 on"})
    assert run("negotiate", "src", "sink", "--counter", offer).code == 0
    # It is no agreement before it is registered.
    assert run("negotiate", "src", "sink").code == 1
    ran = run("negotiate", "src", "sink", "--counter", file({"by": "consumer", "approve": 1}))
    assert (ran.code, "adapter: `document` becomes `documents`" in ran.out) == (0, True)
    assert run("negotiate", "src", "sink").code == 0
    with Publisher("src", settings=settings) as publisher:
        assert publisher.negotiate("sink", sent, type="item").adapter is not None

    pair = client.run(agreements.pair(Keys(settings.namespace), "src", "sink", "item"))
    assert pair is not None
    assert [turn.because for turn in pair.rounds] == [
        "the consumer offers to accept more: from 2.0 on",
        "the consumer approves proposal 1",
    ]
    assert [turn.answer for turn in pair.history][:3] == ["incompatible", "compatible", "adapted"]
    assert run("negotiate", "src", "sink", "--counter", file({"by": "consumer", "approve": 1})).code == 2
    assert run("negotiate", "src", "sink", "--counter", file({"by": "nobody"})).code == 2

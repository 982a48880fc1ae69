"""What changes in the registry, and what is refused, reaches the projection as events, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest

from claude_comm import ModuleCommunicator, Publisher
from claude_comm.client.identity import micros
from claude_comm.client.publisher.refusals import Refusals
from claude_comm.errors import AgreementBroken, NegotiationRefused
from claude_comm.names import Keys
from claude_comm.ops import registration, registry_events
from claude_comm.progress.events import ContractEvent, NegotiationEvent, Refused, decode_event
from claude_comm.registry.changes import RegistryChange
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import Database, open_database
from claude_comm.transport.driver import Client

NUMBER = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}


@pytest.fixture
def told(client: Client, settings: Settings) -> Iterator[Callable[[str, str], list[object]]]:
    """The events of a module of one kind, from the projection."""

    def events(database: Database, module: str, kind: str) -> list[object]:
        catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
        sql = "SELECT data FROM events WHERE module = ? AND kind = ? ORDER BY number"
        return [decode_event(data) for (data,) in database.rows(sql, (module, kind))]

    with open_database(settings.database) as database:
        yield lambda module, kind: events(database, module, kind)


def test_a_contract_is_registered_and_retired(
    settings: Settings, client: Client, told: Callable[[str, str], list[object]]
) -> None:
    with ModuleCommunicator("marker", settings=settings) as marker:
        marker.register(accepts=NUMBER, version="1.0.0")
        marker.register(accepts={"type": "object"}, version="2.0.0")
    keys = Keys(settings.namespace)
    client.run(registration.retire(keys, "marker", "1.0.0", now_us=micros(), by="me"))
    found = told("marker", "contract")
    assert [(event.state, event.version) for event in found if isinstance(event, ContractEvent)] == [
        ("registered", "1.0.0"),
        ("registered", "2.0.0"),
        ("retired", "1.0.0"),
    ]


def test_a_negotiation_is_asked_and_decided_once(settings: Settings, told: Callable[[str, str], list[object]]) -> None:
    with ModuleCommunicator("marker", settings=settings) as marker, Publisher("sparta", settings=settings) as sparta:
        marker.register(accepts=NUMBER)
        for _ in range(2):
            sparta.negotiate("marker", NUMBER)
        with pytest.raises(NegotiationRefused):
            sparta.negotiate("marker", {"type": "object"})
    found = told("sparta", "negotiation")
    assert [(event.state, event.answer, event.partner) for event in found if isinstance(event, NegotiationEvent)] == [
        ("asked", "", "marker"),
        ("decided", "agreed", "marker"),
        ("asked", "", "marker"),
        ("decided", "refused", "marker"),
    ]


def test_a_change_that_is_told_twice_is_one_event(
    settings: Settings, client: Client, told: Callable[[str, str], list[object]]
) -> None:
    change = RegistryChange(kind="registered", module="marker", version="1.0.0", digest="d", at_us=micros())
    for _ in range(2):
        client.run(registry_events.tell(Keys(settings.namespace), [change]))
    assert len(told("marker", "contract")) == 1


def test_what_breaks_its_agreement_is_told_with_how_many_there_were(
    settings: Settings, told: Callable[[str, str], list[object]]
) -> None:
    with ModuleCommunicator("marker", settings=settings) as marker, Publisher("sparta", settings=settings) as sparta:
        marker.register(accepts=NUMBER)
        sparta.negotiate("marker", NUMBER)
        for _ in range(10):
            with pytest.raises(AgreementBroken):
                sparta.publish("marker", {"n": "four"})
            with pytest.raises(AgreementBroken):
                sparta.publish_many("marker", [{"n": 1}, {"n": "four"}])
    found = [event for event in told("sparta", "refused") if isinstance(event, Refused)]
    assert sum(event.count for event in found) == 20
    assert {(event.target, event.path) for event in found} == {("marker", "$.n")}
    assert len(found) < 20


def test_refusals_of_one_kind_are_told_once_a_second_and_none_is_left_out() -> None:
    refusals = Refusals(100)
    told: list[Refused] = []
    for tenth in range(25):
        refusals.note(AgreementBroken("b", "page", "$.n", f"no {tenth}"))
        told += refusals.due(tenth / 10)
    told += refusals.due(float("inf"))
    assert [event.count for event in told] == [1, 10, 10, 4]
    assert told[-1].reason == "no 24"
    assert list(refusals.due(float("inf"))) == []


@pytest.mark.parametrize(
    "event",
    [
        ContractEvent("held", "1.0.0", "d", "me"),
        NegotiationEvent("decided", "b", "page", "refused", "id", "1.0.0", "caller", "because"),
        Refused("b", "page", "no", "$.n", 3),
    ],
)
def test_an_event_comes_back_as_it_was(event: object) -> None:
    assert decode_event(msgspec.msgpack.encode(event)) == event

"""Typed values through a server: what two modules agreed on reaches the handler, as the value of its type."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest

from claude_comm import Module, Publisher, Settings
from claude_comm.errors import NegotiationRefused
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.transport.connect import connect
from tests.support.modules import running
from tests.support.typed_values import VALUES, Attrs, Invoice, Order, PChecked, PInvoice, POrder, PTexts, Tree, name_of
from tests.support.waiting import wait_until

SHAPES = [
    *(int, float, str, bytes, dt.datetime, dt.date, dt.timedelta, uuid.UUID, Decimal, dict[int, str], set[int]),
    *(Order, POrder, Invoice, PInvoice, Tree, Attrs, PTexts),
]
PLACES = [at for at, (shape, _) in enumerate(VALUES) if any(shape is one or shape == one for one in SHAPES)]


# Those that are read by other libraries than msgspec in every run, and each in the long one.
QUICK = (PInvoice, PTexts, Attrs, Tree, Decimal, uuid.UUID)


@pytest.mark.parametrize(
    "at",
    [at if VALUES[at][0] in QUICK else pytest.param(at, marks=pytest.mark.long) for at in PLACES],
    ids=lambda at: name_of(VALUES[at][0]),
)
def test_what_is_agreed_is_handled_and_what_is_refused_is_not_sent(settings: Settings, at: int) -> None:
    """One type to every other of the list, all over one server."""
    shape, values = VALUES[at]
    module, seen = Module("sink", settings=settings), dict[str, list[Any]]()

    def taker(name: str, taken: Any) -> None:
        def handle(payload: Any) -> None:
            seen.setdefault(name, []).append(payload)

        handle.__annotations__["payload"] = taken
        module.handles(name)(handle)

    for other in PLACES:
        taker(f"t{other}", VALUES[other][0])
    with Publisher("source", settings=settings) as publisher, running(module):
        wait_until(lambda: _registered(settings))
        agreed = [f"t{other}" for other in PLACES if _agrees(publisher, shape, f"t{other}")]
        assert f"t{at}" in agreed
        for name in agreed:
            publisher.publish_many("sink", values, type=name)
        wait_until(lambda: all(len(seen.get(name, ())) == len(values) for name in agreed))
    assert seen[f"t{at}"] == values


def _agrees(publisher: Publisher, shape: Any, type: str) -> bool:
    try:
        publisher.negotiate("sink", shape, type=type)
    except NegotiationRefused:
        return False
    return True


def _registered(settings: Settings) -> bool:
    with connect(settings) as client:
        return client.run(registry.find(Keys(settings.namespace), "sink")) is not None


def test_no_validator_decides_in_silence(settings: Settings) -> None:
    module = Module("sink", settings=settings)

    @module.handles("checked")
    def handle(payload: PChecked) -> None: ...

    with Publisher("source", settings=settings) as publisher, running(module):
        wait_until(lambda: _registered(settings))
        with pytest.raises(NegotiationRefused, match=r"PChecked\.positive"):
            publisher.negotiate("sink", PChecked, type="checked")

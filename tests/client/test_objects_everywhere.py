"""pydantic models, dataclasses, attrs objects and Structs are sent and returned at every face."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec
import pydantic
import pytest

from claude_comm import (
    AsyncContext,
    AsyncModuleCommunicator,
    AsyncPublisher,
    Context,
    Module,
    ModuleCommunicator,
    Publisher,
    Settings,
)
from claude_comm.errors import ConfigurationError
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.transport.connect import connect
from tests.support.modules import running
from tests.support.waiting import wait_until

AT = dt.datetime(2024, 2, 29, tzinfo=dt.UTC)


class Model(pydantic.BaseModel):
    n: int
    at: dt.datetime = AT


@dataclasses.dataclass
class Plain:
    n: int
    at: dt.datetime = AT


@pydantic.dataclasses.dataclass
class Checked:
    n: int
    at: dt.datetime = AT


@attrs.define
class Attrs:
    n: int
    at: dt.datetime = AT


class Record(msgspec.Struct):
    n: int
    at: dt.datetime = AT


SHAPES = [Model, Plain, Checked, Attrs, Record]
# It sends an object of each shape; it returns the replies, where it waits for them.
Face = Callable[[Settings], Any]


def _publish(settings: Settings, value: Any, shape: type) -> None:
    with Publisher("source", settings=settings) as publisher:
        publisher.publish("desk", value, type=shape.__name__)


def _publish_many(settings: Settings, value: Any, shape: type) -> None:
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_many("desk", [value], type=shape.__name__)


def _publish_soon(settings: Settings, value: Any, shape: type) -> None:
    with Publisher("source", settings=settings) as publisher:
        publisher.publish_soon("desk", value, type=shape.__name__).result()


def _request(settings: Settings, value: Any, shape: type) -> Any:
    with Publisher("source", settings=settings) as publisher:
        return publisher.request("desk", value, type=shape.__name__, as_=shape)


def _agreed_request(settings: Settings, value: Any, shape: type) -> Any:
    with Publisher("source", settings=settings) as publisher:
        publisher.negotiate("desk", shape, type=shape.__name__)
        return publisher.request("desk", value, type=shape.__name__, as_=shape)


def _send_message(settings: Settings, value: Any, shape: type) -> None:
    communicator = ModuleCommunicator("source", settings=settings)
    try:
        communicator.send_message("source", "desk", value, type=shape.__name__)
    finally:
        communicator.close()


def _communicator_request(settings: Settings, value: Any, shape: type) -> Any:
    communicator = ModuleCommunicator("source", settings=settings)
    try:
        return communicator.request("desk", value, type=shape.__name__, as_=shape)
    finally:
        communicator.close()


def _through(settings: Settings, handle: Any) -> None:
    """What a handler of another module does with its context."""
    relay = Module("relay", settings=settings)
    relay.handles("go")(handle)
    with running(relay), Publisher("source", settings=settings) as publisher:
        wait_until(lambda: _registered(settings, "relay"))
        publisher.request("relay", None, type="go")


def _context_send(settings: Settings) -> None:
    def go(payload: Any, context: Context) -> None:
        for shape in SHAPES:
            context.send("desk", shape(n=1), type=shape.__name__)

    _through(settings, go)


def _context_request(settings: Settings) -> list[Any]:
    replies = []

    def go(payload: Any, context: Context) -> None:
        replies.extend(context.request("desk", shape(n=1), type=shape.__name__, as_=shape) for shape in SHAPES)

    _through(settings, go)
    return replies


def _async_context_send(settings: Settings) -> None:
    async def go(payload: Any, context: AsyncContext) -> None:
        for shape in SHAPES:
            await context.send("desk", shape(n=1), type=shape.__name__)

    _through(settings, go)


def _async_context_request(settings: Settings) -> list[Any]:
    replies = []

    async def go(payload: Any, context: AsyncContext) -> None:
        replies.extend([await context.request("desk", shape(n=1), type=shape.__name__, as_=shape) for shape in SHAPES])

    _through(settings, go)
    return replies


def _each(face: Callable[[Settings, Any, type], Any]) -> Face:
    """A face that is asked anew for each shape."""
    return lambda settings: [face(settings, shape(n=1), shape) for shape in SHAPES]


def _async(face: Callable[[AsyncPublisher, Any, type], Any]) -> Face:
    async def run(settings: Settings) -> Any:
        async with AsyncPublisher("source", settings=settings) as publisher:
            return [await face(publisher, shape(n=1), shape) for shape in SHAPES]

    return lambda settings: asyncio.run(run(settings))


async def _async_publish(publisher: AsyncPublisher, value: Any, shape: type) -> None:
    await publisher.publish("desk", value, type=shape.__name__)


async def _async_publish_many(publisher: AsyncPublisher, value: Any, shape: type) -> None:
    await publisher.publish_many("desk", [value], type=shape.__name__)


async def _async_publish_soon(publisher: AsyncPublisher, value: Any, shape: type) -> None:
    await (await publisher.publish_soon("desk", value, type=shape.__name__))


async def _async_request(publisher: AsyncPublisher, value: Any, shape: type) -> Any:
    return await publisher.request("desk", value, type=shape.__name__, as_=shape)


def _async_send_message(settings: Settings, value: Any, shape: type) -> None:
    async def run() -> None:
        communicator = AsyncModuleCommunicator("source", settings=settings)
        try:
            await communicator.send_message("source", "desk", value, type=shape.__name__)
        finally:
            await communicator.close()

    asyncio.run(run())


SENDING: dict[str, Face] = {
    "publish": _each(_publish),
    "publish_many": _each(_publish_many),
    "publish_soon": _each(_publish_soon),
    "send_message": _each(_send_message),
    "context.send": _context_send,
    "async publish": _async(_async_publish),
    "async publish_many": _async(_async_publish_many),
    "async publish_soon": _async(_async_publish_soon),
    "async send_message": _each(_async_send_message),
    "async context.send": _async_context_send,
}
ASKING: dict[str, Face] = {
    "request": _each(_request),
    "agreed request": _each(_agreed_request),
    "communicator.request": _each(_communicator_request),
    "context.request": _context_request,
    "async request": _async(_async_request),
    "async context.request": _async_context_request,
}


def _registered(settings: Settings, name: str) -> bool:
    with connect(settings) as client:
        return client.run(registry.find(Keys(settings.namespace), name)) is not None


@pytest.fixture
def seen(settings: Settings) -> Iterator[list[Any]]:
    """What a module was given that takes every shape and answers with what it is given."""
    module, found = Module("desk", settings=settings), list[Any]()

    def taker(shape: type) -> None:
        def handle(payload: Any) -> Any:
            found.append(payload)
            return payload

        handle.__annotations__ |= {"payload": shape, "return": shape}
        module.handles(shape.__name__)(handle)

    for shape in SHAPES:
        taker(shape)
    with running(module):
        wait_until(lambda: _registered(settings, "desk"))
        yield found


@pytest.mark.parametrize("face", SENDING)
def test_every_kind_of_object_is_sent(settings: Settings, seen: list[Any], face: str) -> None:
    SENDING[face](settings)
    wait_until(lambda: len(seen) == len(SHAPES))
    assert all(shape(n=1) in seen for shape in SHAPES)


@pytest.mark.parametrize("face", ASKING)
def test_every_kind_of_object_is_sent_and_returned(settings: Settings, seen: list[Any], face: str) -> None:
    assert ASKING[face](settings) == [shape(n=1) for shape in SHAPES]
    assert seen == [shape(n=1) for shape in SHAPES]


def test_what_has_no_names_is_no_content_of_a_message(settings: Settings) -> None:
    communicator = ModuleCommunicator("source", settings=settings)
    try:
        for content in (3, "text", [1], Model):
            with pytest.raises(ConfigurationError, match="it must be a dict of names to values, or an object"):
                communicator.send_message("source", "desk", content)
    finally:
        communicator.close()

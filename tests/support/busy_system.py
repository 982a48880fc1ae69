"""Ten modules under load: ways of every state, a pending version, topics, long names, buried and waiting messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from typing import Annotated, Any

import msgspec

from claude_comm import Module, Publisher, Settings
from claude_comm.client.module.context import Context
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.errors import ClaudeCommError, NegotiationRefused
from tests.support.dashboard import HOSTILE
from tests.support.modules import running

# As long as a name may be.
LONG = "a-module-with-a-name-that-is-as-long-as-a-name-may-be-64-letters"
WIDE_TEXT = "word " * 400


class Order(msgspec.Struct):
    number: int
    customer: str
    items: list[dict[str, Any]] = []
    note: str = ""


class OldOrder(msgspec.Struct):
    number: int
    client: str


class Parcel(msgspec.Struct):
    number: int
    weight_g: Annotated[int, msgspec.Meta(ge=0, le=30_000)]


class Invoice(msgspec.Struct):
    number: int
    total: float
    currency: str = "EUR"


class News(msgspec.Struct):
    sold: int


def modules(settings: Settings) -> list[Module]:
    """Eight that run; with the two shops that only send, ten."""
    orders = Module("orders", settings=settings, retry=RetryPolicy(attempts=1), concurrency=2)
    orders.produces("invoice", Invoice, target="billing")
    orders.produces("parcel", Parcel, target="warehouse")
    orders.produces("news", News, target="topic:sales")

    @orders.handles("order", aliases={"customer": ["client"]})
    def order(payload: Order, context: Context) -> None:
        context.progress("orders", payload.number % 1000, 1000)
        if payload.number % 97 == 0:
            raise ValueError(f"no such customer: {HOSTILE if payload.number % 2 else payload.customer}")
        context.send("billing", Invoice(payload.number, payload.number * 1.5), type="invoice")
        context.send("warehouse", Parcel(payload.number, payload.number % 40_000), type="parcel")
        context.send("topic:sales", News(payload.number), type="news")

    billing = Module("billing", settings=settings)

    @billing.handles("invoice")
    def invoice(payload: Invoice) -> None:
        pass

    warehouse = Module("warehouse", settings=settings)
    warehouse.produces("parcel", Parcel, target="carrier")

    @warehouse.handles("parcel")
    def parcel(payload: Parcel, context: Context) -> None:
        context.send("carrier", payload, type="parcel")

    carrier = Module("carrier", settings=settings, retry=RetryPolicy(attempts=50))

    @carrier.handles("parcel")
    def carry(payload: Parcel) -> None:
        if payload.number % 53 == 0:
            raise RuntimeError("the van is full")
        time.sleep(0.002)

    readers = [Module(name, settings=settings, topics=["sales"]) for name in ("search", "archive", LONG)]
    for reader in readers:

        @reader.handles("news")
        def news(payload: News) -> None:
            pass

    slow = Module("reports", settings=settings, topics=["sales"])

    @slow.handles("news")
    def report(payload: News) -> None:
        time.sleep(0.05)

    return [orders, billing, warehouse, carrier, *readers, slow]


@contextmanager
def busy(settings: Settings, per_s: float = 100.0) -> Iterator[None]:
    """While the block lasts, ten modules run and orders come."""
    stop = threading.Event()
    with ExitStack() as stack:
        for module in modules(settings):
            stack.enter_context(running(module))
        shops = [stack.enter_context(Publisher(name, settings=settings)) for name in ("web-shop", "old-shop")]
        _negotiated(settings, *shops)
        threads = [threading.Thread(target=_load, args=(shop, shape, per_s / 2, stop))
                   for shop, shape in zip(shops, (_order, _old_order), strict=True)]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _negotiated(settings: Settings, web: Publisher, old: Publisher) -> None:
    """Ways of all states: proved and adapted ones, one that is broken, one that nobody can decide."""
    deadline = time.monotonic() + 60
    while True:
        with suppress(ClaudeCommError):
            assert web.negotiate("orders", Order, type="order").fits
            assert old.negotiate("orders", OldOrder, type="order").answer == "adapted"
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for name, shape in (("wrong-shop", dict[str, str]), ("odd-shop", list[int])):
        with suppress(NegotiationRefused), Publisher(name, settings=settings) as wrong:
            wrong.negotiate("orders", shape, type="order")
    web.publish("nobody-has-this-name", {"text": HOSTILE}, type="lost", session="lost and found")
    web.publish("topic:unread", {"text": WIDE_TEXT}, type="essay")


def _order(number: int) -> Any:
    return Order(number, "Ann Example", [{"sku": f"A-{number % 7}", "count": 1}], "please ring twice " * (number % 9))


def _old_order(number: int) -> Any:
    return OldOrder(number, "Old Customer")


def _load(shop: Publisher, shape: Any, per_s: float, stop: threading.Event) -> None:
    for number in count(1):
        if stop.is_set():
            return
        with suppress(ClaudeCommError):
            shop.publish("orders", shape(number), type="order", session=f"day {number // 500}")
        stop.wait(1 / per_s)

"""A small system with something in every view of the dashboard, and the dashboard over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from claude_comm import Module, Publisher, Settings
from claude_comm.client.module.context import Context
from claude_comm.delivery.retry import RetryPolicy
from claude_comm.errors import AgreementBroken, ContractBroken, NegotiationRefused
from claude_comm.gateway.dashboard.desk import routes
from claude_comm.gateway.dashboard.render import Visitor
from claude_comm.gateway.dashboard.system import Source
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.store import queries
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect
from tests.support.homes import PACKAGE
from tests.support.modules import running
from tests.support.waiting import wait_until

TOKEN = "a-token-of-this-session"
# What must never run, in all the places where text of others is shown.
HOSTILE = '<script>window.owned=1</script><img src=x onerror="window.owned=1">\u202e\x1b]0;owned\x07'
STATIC = PACKAGE / "gateway" / "static"


class Order(msgspec.Struct):
    number: int
    customer: str
    paid: bool = False


class Parcel(msgspec.Struct):
    number: int
    weight_g: int


class OldOrder(msgspec.Struct):
    number: int
    client: str


def dashboard(settings: Settings, visitor: Callable[[Request], Visitor]) -> tuple[Starlette, Source]:
    """The dashboard alone, without the gateway around it."""
    source = Source(settings)
    return Starlette(
        routes=[Mount("/static", StaticFiles(directory=STATIC)), *routes(lambda _request: source, visitor)]
    ), source


def modules(settings: Settings) -> list[Module]:
    """`shop` takes orders and sends parcels; `carrier` takes parcels; `archive` refuses all that it is sent."""
    shop = Module("shop", settings=settings, retry=RetryPolicy(attempts=1))
    shop.produces("parcel", Parcel, target="carrier")

    @shop.handles("order", aliases={"customer": ["client"]})
    def order(payload: Order, context: Context) -> None:
        context.progress("orders", payload.number, 10)
        if payload.customer == HOSTILE:
            raise ValueError(f"no such customer: {payload.customer}")
        context.send("carrier", Parcel(payload.number, 500), type="parcel")
        context.send("topic:news", {"sold": payload.number})

    carrier = Module("carrier", settings=settings, topics=["news"])

    @carrier.handles("parcel")
    def parcel(payload: Parcel) -> None:
        pass

    @carrier.handles()
    def news(payload: dict[str, int]) -> None:
        pass

    return [shop, carrier]


@contextmanager
def populated(settings: Settings) -> Iterator[None]:
    """While the block lasts, the modules run; there are handled, buried, waiting and unread messages."""
    with ExitStack() as stack:
        for module in modules(settings):
            stack.enter_context(running(module))
        client = stack.enter_context(connect(settings))
        keys = Keys(settings.namespace)
        web = stack.enter_context(Publisher("web", settings=settings))
        old = stack.enter_context(Publisher("old-web", settings=settings))
        wait_until(lambda: set(client.run(registry.names(keys))) >= {"shop", "carrier"})
        assert web.negotiate("shop", Order, type="order").fits
        assert old.negotiate("shop", OldOrder, type="order").answer == "adapted"
        with suppress(NegotiationRefused):
            Publisher("wrong", settings=settings).negotiate("shop", dict[str, str], type="order")
        for number in range(1, 6):
            web.publish("shop", Order(number, "Ann"), type="order", session="sales")
        web.publish("shop", Order(6, HOSTILE), type="order", session="sales")
        web.publish("nobody", {"text": HOSTILE}, type="lost")
        with suppress(AgreementBroken, ContractBroken):
            web.publish("shop", {"number": "seven"}, type="order")

        def settled() -> bool:
            with open_database(settings.database) as database:
                catch_up(client, database, keys, max_bytes=settings.max_envelope_bytes)
                rows = queries.messages(database)
                parcels = [row for row in rows if row.type == "parcel" and row.status == "handled"]
                return len(parcels) == 5 and any(row.status == "failed" for row in rows)

        wait_until(settled)
        yield

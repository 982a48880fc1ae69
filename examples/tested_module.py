"""A module and its tests: without a server, on a real one, and with messages made from its own contract.

Run it with `python examples/tested_module.py`; it needs `claude-comm[testing]`. In a project the tests have a file of
their own, which pytest finds; the fixtures `fake_comm`, `comm` and `module_runner` come with claude-comm.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, TypeAlias

import msgspec

from claude_comm import Module
from claude_comm.testing import Bus, HandledMessage, RunningModule, given_messages

RunModule: TypeAlias = Callable[[Module], RunningModule]


class Order(msgspec.Struct):
    item: str
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)]


shop = Module("shop")


@shop.handles("order")
def price(order: Order) -> float:
    return 100 / order.count


def test_an_order_is_answered_with_its_price(fake_comm: Bus, module_runner: RunModule) -> None:
    running = module_runner(shop)
    assert running.request(Order("tea", 5), type="order", as_=float) == 20


def test_what_is_no_order_is_buried_with_its_reason(comm: Bus, module_runner: RunModule) -> None:
    running = module_runner(shop)
    running.send({"item": "tea"}, type="order")
    (burial,) = running.buried()
    assert "count" in burial.reason


@given_messages(shop, type="order", examples=10)
def test_every_order_that_the_contract_allows_has_a_price(handled: HandledMessage) -> None:
    assert handled.reply > 0


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]))

"""Request and reply: what a handler returns is the answer, and what it cannot handle comes back as a typed error.

Run it with `python examples/request_reply.py`.
"""

import threading

import msgspec

from claude_comm import Module, Publisher, RequestFailed


class Order(msgspec.Struct):
    item: str
    count: int


class Price(msgspec.Struct):
    cents: int


module = Module("prices")


@module.handles("order")
def price(order: Order) -> Price:
    return Price({"apple": 30, "pear": 45}[order.item] * order.count)


running = threading.Thread(target=module.run)
running.start()
try:
    with Publisher("shop") as shop:
        answer = shop.request("prices", Order("apple", 3), type="order", timeout_s=10, as_=Price)
        print(f"three apples: {answer.cents} cents")
        try:
            shop.request("prices", {"item": "apple", "count": "many"}, type="order", timeout_s=10)
        except RequestFailed as failed:
            print(f"many apples: {failed.reason} ({failed.path})")
finally:
    module.stop()
    running.join()

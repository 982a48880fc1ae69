"""A module whose contract is a JSON Schema: a message that breaks it is buried with the place and the rule.

Run it with `python examples/json_schema.py`, or the module alone with `claude-comm run examples/json_schema.py:till`.
"""

import threading
from typing import Any

from claude_comm import Module, Publisher
from claude_comm.errors import RequestFailed

SALE = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
        "count": {"type": "integer", "minimum": 1},
        "cents": {"type": "integer", "minimum": 0},
    },
    "required": ["sku", "count", "cents"],
    "additionalProperties": False,
}

till = Module("till")


@till.handles("sale", accepts=SALE)
def total(sale: dict[str, Any]) -> int:
    return int(sale["count"] * sale["cents"])


if __name__ == "__main__":
    thread = threading.Thread(target=till.run)
    thread.start()
    with Publisher("shop") as shop:
        print("total:", shop.request("till", {"sku": "A-1", "count": 3, "cents": 250}, type="sale", timeout_s=30))
        try:
            shop.request("till", {"sku": "A-1", "count": 0, "cents": 250}, type="sale", timeout_s=30)
        except RequestFailed as refused:
            print("refused:", refused)
    till.stop()
    thread.join()

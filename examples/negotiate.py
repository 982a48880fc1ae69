"""Asking before sending: a refusal comes with a message that shows it, an agreement holds every payload to itself.

Run it with `python examples/negotiate.py`.
"""

from claude_comm import ModuleCommunicator, Publisher
from claude_comm.errors import AgreementBroken, NegotiationRefused

ORDER = {
    "type": "object",
    "properties": {"sku": {"type": "string"}, "price": {"type": "number", "minimum": 0}},
    "required": ["sku", "price"],
}

with ModuleCommunicator("till") as till:
    till.register(accepts={"order": ORDER})

with Publisher("shop") as shop:
    loose = {"type": "object", "properties": {"sku": {"type": "string"}, "price": {"type": "number"}}}
    try:
        shop.negotiate("till", loose, type="order")
    except NegotiationRefused as refused:
        print(f"refused: {refused}")

    agreement = shop.negotiate("till", ORDER, type="order")
    print(f"agreed: {agreement.id[:12]}")
    shop.publish("till", {"sku": "A-1", "price": 9.5}, type="order")
    try:
        shop.publish("till", {"sku": "A-1", "price": -1}, type="order")
    except AgreementBroken as broken:
        print(f"not sent: {broken}")

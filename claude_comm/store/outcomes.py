"""What became of many messages at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.store.database import Database
from claude_comm.store.records import DELIVERY_STATUSES, DeliveryRow

_DELIVERIES = """
SELECT d.message, c.name, d.status, d.attempts, d.settled_us - d.latency_us, d.settled_us, d.reason, d.path
FROM json_each(?) AS wanted CROSS JOIN packed_deliveries AS d ON d.message = wanted.value
JOIN names AS c ON c.id = d.consumer ORDER BY d.message, d.settled_us
"""


def deliveries_of(database: Database, numbers: Sequence[int]) -> dict[int, list[DeliveryRow]]:
    """The deliveries of the messages with these numbers, in the order in which they were settled; none for one that no
    consumer has settled."""
    deliveries: dict[int, list[DeliveryRow]] = {number: [] for number in numbers}
    for number, consumer, status, *rest in database.rows(_DELIVERIES, (msgspec.json.encode(list(numbers)).decode(),)):
        deliveries[number].append(DeliveryRow(consumer, DELIVERY_STATUSES[status], *rest))
    return deliveries

"""What became of many messages at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from claude_comm.store.database import Database
from claude_comm.store.records import DELIVERY_STATUSES, HANDLING, DeliveryRow

_HELD = "held AS h {join} h.message_id = m.message_id AND h.source = m.source"
_DELIVERIES = f"""
SELECT d.message, c.name, d.status, d.attempts, d.settled_us - d.latency_us, d.settled_us, d.reason, d.path,
    coalesce(h.since_us, 0)
FROM json_each(?) AS wanted CROSS JOIN packed_deliveries AS d ON d.message = wanted.value
JOIN packed_messages AS m ON m.number = d.message JOIN names AS c ON c.id = d.consumer
LEFT JOIN {_HELD.format(join="ON")} AND h.consumer = d.consumer
ORDER BY d.message, d.settled_us
"""
# Held by a consumer of which nothing later is known.
_HANDLING = f"""
SELECT m.number, c.name, m.time_us, h.since_us
FROM json_each(?) AS wanted CROSS JOIN packed_messages AS m ON m.number = wanted.value
CROSS JOIN {_HELD.format(join="ON")} JOIN names AS c ON c.id = h.consumer
WHERE NOT EXISTS (SELECT 1 FROM packed_deliveries AS d WHERE d.message = m.number AND d.consumer = h.consumer
    AND (d.status != 2 OR d.settled_us >= h.since_us))
"""


def deliveries_of(database: Database, numbers: Sequence[int]) -> dict[int, list[DeliveryRow]]:
    """The deliveries of the messages with these numbers, in the order in which they were settled, and then those that a
    consumer has had for a while; none for one of which neither is known."""
    deliveries: dict[int, list[DeliveryRow]] = {number: [] for number in numbers}
    wanted = (msgspec.json.encode(list(numbers)).decode(),)
    for number, consumer, status, *rest in database.rows(_DELIVERIES, wanted):
        deliveries[number].append(DeliveryRow(consumer, DELIVERY_STATUSES[status], *rest))
    for number, consumer, sent_us, since_us in database.rows(_HANDLING, wanted):
        row = DeliveryRow(consumer, HANDLING, 0, sent_us, since_us, "", "", since_us)
        deliveries[number] = [*(other for other in deliveries[number] if other.consumer != consumer), row]
    return deliveries

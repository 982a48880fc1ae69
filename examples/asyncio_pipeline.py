"""The asyncio faces: many messages in flight at once, read back in batches.

Run it with `python examples/asyncio_pipeline.py`.
"""

import asyncio

from claude_comm import AsyncConsumer, AsyncPublisher

COUNT = 200


async def main() -> None:
    async with AsyncPublisher("numbers") as publisher:
        await asyncio.gather(*(publisher.publish("adder", n) for n in range(COUNT)))

    total = handled = 0
    async with AsyncConsumer("adder") as consumer:
        async for delivery in consumer:
            total += delivery.payload(int)
            handled += 1
            consumer.ack(delivery)
            if handled == COUNT:
                consumer.stop()
    print(f"the sum of {handled} numbers is {total}")


asyncio.run(main())

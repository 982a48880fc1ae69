"""One wave of batches to the nodes of a cluster, side by side: the asyncio twin of `transport.wave`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from claude_comm.errors import TransportError
from claude_comm.transport.async_pool import AsyncConnectionPool
from claude_comm.transport.node_protocol import Packer, chunk, chunks, replies_to
from claude_comm.transport.pool import outcomes
from claude_comm.transport.routing import NodeBatch
from claude_comm.transport.slots import NodeAddress


async def send_wave(
    pool_of: Callable[[NodeAddress], AsyncConnectionPool], batches: Sequence[NodeBatch], packer: Packer, within_s: float
) -> list[Any]:
    """What each batch was answered or met. Cancelled, it leaves when all of them have let go of their nodes."""
    if len(batches) == 1:
        return [await _exchange(pool_of(batches[0].node), batches[0], packer, within_s)]
    exchanges = (_exchange(pool_of(batch.node), batch, packer, within_s) for batch in batches)
    answers = await asyncio.gather(*exchanges, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, TransportError):
            raise answer
    return answers


async def _exchange(
    pool: AsyncConnectionPool, batch: NodeBatch, packer: Packer, within_s: float
) -> list[Any] | TransportError:
    replies: list[Any] = []
    try:
        async with pool.borrowed(within_s) as connection:
            unread = 0
            for places in chunks(batch.places):
                connection.send(chunk(packer, places, asking=batch.asking))
                replies += await connection.read(unread, within_s)
                unread = replies_to(places, asking=batch.asking)
            replies += await connection.read(unread, within_s)
        return outcomes(replies[1::2] if batch.asking else replies, pool.close_idle)
    except TransportError as error:
        return error

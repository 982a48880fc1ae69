"""One wave of batches to the nodes of a cluster; blocking.

Law: what goes to several nodes is sent to all of them before the first reply is read, so that they work side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias

from claude_comm.errors import TransportError
from claude_comm.transport.node_protocol import Packer, chunk, chunks, replies_to
from claude_comm.transport.pool import ConnectionPool, outcomes
from claude_comm.transport.routing import NodeBatch
from claude_comm.transport.slots import NodeAddress

# Sends, and reads when it is resumed; returns the replies.
_Exchange: TypeAlias = Generator[None, None, list[Any]]


def send_wave(
    pool_of: Callable[[NodeAddress], ConnectionPool], batches: Sequence[NodeBatch], packer: Packer, within_s: float
) -> list[Any]:
    """What each batch was answered or met: in turns, until all have their replies."""
    exchanges = [_exchange(pool_of(batch.node), batch, packer, within_s) for batch in batches]
    answers: list[Any] = [None] * len(exchanges)
    open_ones = dict(enumerate(exchanges))
    try:
        while open_ones:
            for number, exchange in list(open_ones.items()):
                try:
                    next(exchange)
                except StopIteration as end:
                    answers[number] = end.value
                    del open_ones[number]
                except TransportError as error:
                    answers[number] = error
                    del open_ones[number]
    finally:
        for exchange in exchanges:
            exchange.close()
    return answers


def _exchange(pool: ConnectionPool, batch: NodeBatch, packer: Packer, within_s: float) -> _Exchange:
    replies: list[Any] = []
    with pool.borrowed(within_s) as connection:
        unread = 0
        for places in chunks(batch.places):
            connection.send(chunk(packer, places, asking=batch.asking), within_s)
            yield
            replies += connection.read(unread)
            unread = replies_to(places, asking=batch.asking)
        replies += connection.read(unread)
    return outcomes(replies[1::2] if batch.asking else replies, pool.close_idle)

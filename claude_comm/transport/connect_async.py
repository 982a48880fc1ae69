"""From settings to an asyncio client. A file of its own beside `connect`: a blocking program imports no asyncio."""

from __future__ import annotations

from claude_comm.addresses import on_cluster
from claude_comm.runtime.notary import notary_of
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings
from claude_comm.transport.async_cluster import AsyncClusterTransport
from claude_comm.transport.async_driver import AsyncClient
from claude_comm.transport.async_pool import AsyncConnectionPool
from claude_comm.transport.connect import data_url


def connect_async(settings: Settings, signer: Signer | None = None) -> AsyncClient:
    """An asyncio client, for the running event loop, which signs with that key."""
    url = data_url(settings)
    data = AsyncClusterTransport(url) if on_cluster(url) else AsyncConnectionPool(url)
    control = AsyncConnectionPool(settings.control_url) if settings.control_url else data
    return AsyncClient(data, control, notary_of(settings, signer))

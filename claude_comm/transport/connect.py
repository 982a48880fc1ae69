"""From settings to links: the configured server or cluster, or the private one, started if need be.

Law: opening the private server happens here, at the first connection of a process, and never again in its life: a
long-lived module does not bring back a server that `claude-comm down` stopped.
"""

from __future__ import annotations

from urllib.parse import quote

from claude_comm.runtime import private_server
from claude_comm.settings import Settings, on_cluster
from claude_comm.transport.async_cluster import AsyncClusterServer
from claude_comm.transport.async_driver import AsyncLinks, AsyncServer
from claude_comm.transport.cluster import ClusterServer
from claude_comm.transport.driver import Links
from claude_comm.transport.pool import Server


def data_url(settings: Settings) -> str:
    """The address of the messages' server, the private one started first if it is the one."""
    if settings.url:
        return settings.url
    return "unix://" + quote(str(private_server.ensure(settings.home)))


def connect(settings: Settings) -> Links:
    """Blocking links. Nothing is sent yet, but the private server runs."""
    url = data_url(settings)
    data = ClusterServer(url) if on_cluster(url) else Server(url)
    return Links(data, Server(settings.control_url) if settings.control_url else data)


def connect_async(settings: Settings) -> AsyncLinks:
    """Asyncio links, for the running event loop."""
    url = data_url(settings)
    data = AsyncClusterServer(url) if on_cluster(url) else AsyncServer(url)
    return AsyncLinks(data, AsyncServer(settings.control_url) if settings.control_url else data)

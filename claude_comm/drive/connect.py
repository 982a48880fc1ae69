"""From settings to links: the configured server or cluster, or the private one, started if need be.

Law: opening the private server happens here, at the first connection of a process, and never again in its life: a
long-lived module does not bring back a server that `claude-comm down` stopped.
"""

from __future__ import annotations

from urllib.parse import quote

from claude_comm.drive import launch
from claude_comm.drive.aio import AsyncLinks, AsyncServer
from claude_comm.drive.blocking import Links
from claude_comm.drive.cluster import ClusterServer
from claude_comm.drive.cluster_aio import AsyncClusterServer
from claude_comm.drive.server import Server
from claude_comm.settings import Settings, on_cluster


def data_url(settings: Settings) -> str:
    """The address of the messages' server, the private one started first if it is the one."""
    if settings.url:
        return settings.url
    return "unix://" + quote(str(launch.ensure(settings.home)))


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

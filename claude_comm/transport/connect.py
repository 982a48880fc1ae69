"""From settings to a client: the configured server or cluster, or the private one, started if need be.

Law: opening the private server happens here, at the first connection of a process, and never again in its life: a
long-lived module does not bring back a server that `claude-comm down` stopped.
"""

from __future__ import annotations

from urllib.parse import quote

from claude_comm.addresses import on_cluster
from claude_comm.runtime import private_server
from claude_comm.runtime.notary import notary_of
from claude_comm.security.signing import Signer
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client, Transport
from claude_comm.transport.pool import ConnectionPool


def data_url(settings: Settings) -> str:
    """The address of the messages' server, which is started first if it is the private one."""
    if settings.url:
        return settings.url
    return "unix://" + quote(str(private_server.ensure(settings.home)))


def connect(settings: Settings, signer: Signer | None = None) -> Client:
    """A blocking client, which signs with that key. Nothing is sent yet, but the private server runs."""
    url = data_url(settings)
    data = _cluster(url) if on_cluster(url) else ConnectionPool(url)
    control = ConnectionPool(settings.control_url) if settings.control_url else data
    return Client(data, control, notary_of(settings, signer))


def _cluster(url: str) -> Transport:
    # Six files that a command on one server does not need, and takes as long to import as the rest of this package.
    from claude_comm.transport.cluster import ClusterTransport

    return ClusterTransport(url)

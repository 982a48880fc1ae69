"""The primary that Sentinels name: asked for at each new connection, by its service's name.

Law: a Sentinel's word is taken on trial. One that is cut off still names the old primary, so the server itself has to
say that it is one, else nothing is sent to it. A failover ends the connections to the old primary, or its replies say
that it takes no writes, which ends them too: so whoever opens the next connection finds the new one, and nothing here
follows events or keeps an address.
"""

from __future__ import annotations

import socket
from typing import Any

from claude_comm.addresses import SentinelUrl, parse_sentinel
from claude_comm.errors import ConfigurationError
from claude_comm.transport.connection import Opener
from claude_comm.transport.opening import ask, opener
from claude_comm.transport.replies import Disconnected, ErrorReply

# What a server says its role to: a greeting, which every user may send, where ROLE is one command more to be allowed.
ASK_ROLE = ("HELLO",)
# How long one Sentinel may take (seconds): it answers from memory, and the next one knows the same.
SENTINEL_S = 1.0


def primary_opener(url: str) -> Opener:
    """As `opening.opener`, for the primary that these Sentinels name."""
    places = parse_sentinel(url)

    def open_primary(connect_s: float, step_s: float) -> socket.socket:
        opened = opener(primary_url(places, connect_s, step_s))(connect_s, step_s)
        try:
            check_role(ask(opened, ASK_ROLE), places)
        except BaseException:
            opened.close()
            raise
        return opened

    return open_primary


def primary_url(places: SentinelUrl, connect_s: float, step_s: float) -> str:
    """The address of the primary, from the first Sentinel that knows it. Raises Disconnected."""
    whys = []
    for host, port in places.sentinels:
        try:
            opened = opener(places.sentinel(host, port))(min(connect_s, SENTINEL_S), min(step_s, SENTINEL_S))
            with opened:
                named = ask(opened, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", places.service))
        except (Disconnected, ErrorReply, OSError) as error:
            whys.append(f"{host}:{port}: {error}")
            continue
        if named is None:
            whys.append(f"{host}:{port} watches no service {places.service!r}")
            continue
        try:
            return places.server(named[0].decode(), int(named[1]))
        except (AttributeError, IndexError, TypeError, ValueError):
            raise ConfigurationError(f"{host}:{port} is no Sentinel: it answers {named!r}.") from None
    raise Disconnected(f"no Sentinel names the primary of {places.service!r}: {'; '.join(whys)}")


def check_role(greeting: Any, places: SentinelUrl) -> None:
    """Raises Disconnected for the greeting of a server that is no primary, or what it refused the greeting with."""
    if isinstance(greeting, ErrorReply):
        raise greeting
    if not (isinstance(greeting, dict) and greeting.get(b"role") == b"master"):
        raise Disconnected(f"the server that the Sentinels name as the primary of {places.service!r} is a replica")

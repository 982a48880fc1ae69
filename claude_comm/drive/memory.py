"""What the streams keep although it is done, given the memory that their servers have.

Law: the servers of a cluster are asked one by one; where one is short of memory, nothing that is done is kept anywhere,
and one that does not answer is not waited for.
"""

from __future__ import annotations

from claude_comm.delivery.retention import Keep, keep
from claude_comm.drive.blocking import Links
from claude_comm.errors import ServerUnreachable
from claude_comm.ops import server
from claude_comm.settings import Settings


def keeping(links: Links, settings: Settings) -> Keep:
    """Raises ServerUnreachable when the one server does not answer."""
    if links.data.reach != "cluster":
        return _keep(links, settings)
    found: list[Keep] = []
    for one in links.data.servers():
        try:
            found.append(_keep(Links(one, one), settings))
        except ServerUnreachable:
            continue
    return min(found, key=lambda kept: kept.ms) if found else Keep(int(settings.keep_s * 1000), settings.keep_entries)


def _keep(links: Links, settings: Settings) -> Keep:
    facts = links.run(server.facts())
    return keep(settings.keep_s, settings.keep_entries, used_bytes=facts.memory_bytes, max_bytes=facts.max_memory_bytes)

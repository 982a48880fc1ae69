"""What both faces of a cluster send to its nodes: commands and posts by their places, in chunks.

Law: ASKING stands before each where a slot is still arriving, and has a reply of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from claude_comm.addresses import public
from claude_comm.effects import Command, Post
from claude_comm.errors import ConfigurationError, ServerRefused, TransportError
from claude_comm.transport.packing import APPEND_PART, packed
from claude_comm.transport.pool import pack

SLOTS = Command(("CLUSTER", "SLOTS"))
_ASKING = pack(("ASKING",))

# The bytes of the commands at these places.
Packer: TypeAlias = Callable[[Sequence[int]], bytes]


def commands_packer(commands: Sequence[Command]) -> Packer:
    return lambda places: b"".join([pack(commands[place].args) for place in places])


def posts_packer(posts: Sequence[Post]) -> Packer:
    return lambda places: packed([posts[place] for place in places])


def chunks(places: Sequence[int]) -> list[Sequence[int]]:
    """As many as travel together: enough to keep a node at work while the next are packed."""
    return [places[start : start + APPEND_PART] for start in range(0, len(places), APPEND_PART)]


def chunk(packer: Packer, places: Sequence[int], *, asking: bool) -> bytes:
    if not asking:
        return packer(places)
    return b"".join([_ASKING + packer([place]) for place in places])


def replies_to(places: Sequence[int], *, asking: bool) -> int:
    return len(places) * (2 if asking else 1)


def not_a_cluster(error: TransportError, url: str) -> TransportError:
    """The error, or a ConfigurationError raised where the node says that it is a server of its own."""
    if isinstance(error, ServerRefused) and "cluster support disabled" in error.text:
        plain = public(url).replace("+cluster", "", 1)
        raise ConfigurationError(f"{public(url)} is one server and not a cluster: write {plain}.") from None
    return error

"""Where the keys of a cluster are: the slot of a command, which master has it, and what a redirection says.

Law: pure. A slot whose master is not known is asked of any master, which answers with a redirection or a refusal;
so a map that is old or empty costs a round trip and never an answer.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from claude_comm.effects import Argument
from claude_comm.errors import ServerRefused

SLOTS = 16384

# Commands that we, or an operator through us, send to a server and not to a key.
_KEYLESS = frozenset(
    "ACL AUTH CLIENT CLUSTER COMMAND CONFIG DBSIZE DEBUG ECHO FLUSHALL FLUSHDB FUNCTION INFO KEYS LATENCY PING RESET "
    "SCAN SCRIPT SLOWLOG TIME WAIT".split()
)
# Where the key stands for those where it is not the second word.
_KEY_PLACES = {"XGROUP": 2, "XINFO": 2, "OBJECT": 2, "MEMORY": 2}
_SCRIPTS = frozenset({"EVAL", "EVALSHA"})
# Where the search for STREAMS begins: before it a group or a consumer may have that very name.
_READS = {"XREAD": 1, "XREADGROUP": 4}


class NodeAddress(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Redirection(NamedTuple):
    """A command was not executed: its slot is at `to` for good ("MOVED"), or for this one key by now ("ASK")."""

    kind: Literal["MOVED", "ASK"]
    slot: int
    to: NodeAddress


class SlotMap:
    """Which master has each slot, as far as known."""

    def __init__(self, owners: list[NodeAddress | None]) -> None:
        self._owners = owners
        self.masters = tuple(dict.fromkeys(owner for owner in owners if owner is not None))

    def master(self, slot: int | None) -> NodeAddress:
        """The master of that slot; any one for what has no slot. There must be a master."""
        return (None if slot is None else self._owners[slot]) or self.masters[0]

    def with_moved(self, moved: Sequence[Redirection]) -> SlotMap:
        """The same after these: who answers for a slot knows better than who was asked for the map."""
        owners = list(self._owners)
        for redirection in moved:
            owners[redirection.slot] = redirection.to
        return SlotMap(owners)


def read_map(reply: Sequence[Any], asked: NodeAddress) -> SlotMap:
    """The answer to CLUSTER SLOTS; a node that is announced without a host is on that of the node that was asked.

    Of a cluster that has not given out any slot, who was asked is the only master known.
    """
    owners: list[NodeAddress | None] = [None] * SLOTS
    for first, last, master, *_replicas in reply:
        owner = NodeAddress(_host(master[0]) or asked.host, int(master[1]))
        owners[first : last + 1] = [owner] * (last + 1 - first)
    return SlotMap(owners if reply else [asked] * SLOTS)


def redirection(refusal: ServerRefused, asked: NodeAddress) -> Redirection | None:
    """What this refusal says about another node; None when it is no redirection."""
    if refusal.code not in ("MOVED", "ASK"):
        return None
    slot, _, place = refusal.text.removeprefix(f"{refusal.code} ").partition(" ")
    host, _, port = place.rpartition(":")
    return Redirection(refusal.code, int(slot), NodeAddress(_host(host) or asked.host, int(port)))  # type: ignore[arg-type]


def slot_of(args: Sequence[Argument]) -> int | None:
    """The slot of a command's first key, which all its keys share; None where it has no key."""
    key = _key(args)
    return None if key is None else slot_of_key(str(key) if isinstance(key, int | float) else key)


@lru_cache(maxsize=16384)
def slot_of_key(key: str | bytes) -> int:
    """CRC-16 (XMODEM) of what stands in the first braces, else of the whole key."""
    whole = key.encode() if isinstance(key, str) else key
    _, _, behind = whole.partition(b"{")
    tag, closing, _ = behind.partition(b"}")
    return crc_hqx(tag if closing and tag else whole, 0) % SLOTS


def _key(args: Sequence[Argument]) -> Argument | None:
    verb = str(args[0]).upper()
    if len(args) == 1 or verb in _KEYLESS:
        return None
    if verb in _SCRIPTS:
        return args[3] if int(args[2]) else None
    if verb in _READS:
        return args[args.index("STREAMS", _READS[verb]) + 1]
    return args[_KEY_PLACES.get(verb, 1)]


def _host(announced: str | bytes | None) -> str:
    """A host as announced: nothing where it is unknown, which servers write in three ways."""
    host = announced.decode() if isinstance(announced, bytes) else announced or ""
    return "" if host == "?" else host.strip("[]")

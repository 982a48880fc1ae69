"""Finding partners, and being told when they come and go: one directory, asked again and again.

Law: what is found is what the registry says now. Who watches is told of a partner once when it comes and once when it
goes; each look costs a read of the changes and one of the heartbeats, however many modules there are.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from claude_comm.client.discovery.directory import ModuleDirectory
from claude_comm.client.identity import millis
from claude_comm.discovery.answer import answer
from claude_comm.discovery.query import Candidates, Partner, Query
from claude_comm.effects import Operation, Pause
from claude_comm.errors import ServerUnreachable
from claude_comm.names import Keys
from claude_comm.ops.heartbeats import HEARTBEAT_MS

# How long a server that does not answer is left alone.
_AWAY_WAIT_S = 1.0

Move: TypeAlias = Literal["came", "went"]


class PartnerChange(msgspec.Struct, frozen=True):
    """A partner came: its first instance lives, or a release of it that fits is registered. Or it went: its last
    instance has ended, or has been silent for 16 seconds."""

    kind: Move
    partner: Partner

    @property
    def module(self) -> str:
        return self.partner.module


class Finder:
    """One client's directory and the queries put to it. Safe to share between threads."""

    def __init__(self, keys: Keys) -> None:
        self._directory = ModuleDirectory(keys)

    def refreshing(self, *, wait_ms: int = 0) -> Operation[None]:
        """Brings the directory up to date."""
        return self._directory.refreshing(now_ms=millis(), wait_ms=wait_ms)

    def answer(self, query: Query) -> Candidates:
        """What fits, as far as the directory was brought up to date."""
        directory, now_ms = self._directory, millis()
        instances = directory.live(now_ms=now_ms) if query.live else directory.all(now_ms=now_ms)
        partners = answer(directory.catalogue, query, instances)
        return msgspec.structs.replace(partners, unreadable=sorted(directory.unreadable))


class PartnerWatch:
    """The partners of one query over time, with a directory of its own."""

    # How long one look waits for a change; heartbeats come as often.
    WAIT_MS = HEARTBEAT_MS

    def __init__(self, keys: Keys, query: Query) -> None:
        self._finder, self._query = Finder(keys), query
        self._present: dict[str, Partner] = {}

    def looking(self, wait_ms: int = WAIT_MS) -> Operation[None]:
        """Waits for a change, up to `wait_ms`; a server that does not answer is waited for."""
        try:
            yield from self._finder.refreshing(wait_ms=wait_ms)
        except ServerUnreachable:
            yield Pause(_AWAY_WAIT_S)

    def changes(self) -> list[PartnerChange]:
        """Who came and who went since the last time, by name; all that are there come the first time."""
        found = {partner.digest: partner for partner in self._finder.answer(self._query).found}
        came = [PartnerChange("came", found[digest]) for digest in found.keys() - self._present.keys()]
        went = [PartnerChange("went", self._present[digest]) for digest in self._present.keys() - found.keys()]
        self._present = found
        return sorted([*went, *came], key=lambda change: (change.module, change.kind == "came", change.partner.version))

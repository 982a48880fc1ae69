"""What the tools of one server work with: the connection, the registry as last read, and who asks.

Law: one publisher for all callers of a process. What a caller may do is decided here, before anything is sent.
"""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from claude_comm.client.identity import Identity, identify, millis
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.effects import Operation
from claude_comm.mcp_server.desk import catalogue as catalogues
from claude_comm.mcp_server.desk.catalogue import Catalogue, Entry
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.transport.async_driver import AsyncClient

T = TypeVar("T")

# The module in whose name agents speak, where a token names no other.
SOURCE = "mcp"


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What this server shows: `tools` as `--tools` has them; `allow` and `deny` are patterns of `MODULE` or
    `MODULE.TYPE`; `bare` are modules whose tools are named by their type alone."""

    tools: Sequence[str] = ("search",)
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    bare: Sequence[str] = ()
    read_only: bool = False

    def shows(self, module: str, type: str = "") -> bool:
        """Whether a module, or a type of its messages, may be seen and called."""
        named = (module, f"{module}.{type}") if type else (module,)
        if any(fnmatch.fnmatchcase(name, pattern) for name in named for pattern in self.deny):
            return False
        if not self.allow:
            return True
        if not type:
            return any(fnmatch.fnmatchcase(module, pattern.partition(".")[0]) for pattern in self.allow)
        return any(fnmatch.fnmatchcase(name, pattern) for name in named for pattern in self.allow)


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the owner of tasks that are begun, and what a token allows (None: everything)."""

    owner: str = "local"
    scopes: frozenset[str] | None = None


class Desk:
    """An async context manager."""

    def __init__(self, settings: Settings, exposure: Exposure) -> None:
        self.settings, self.exposure = settings, exposure
        self.identity: Identity = identify(SOURCE, settings)
        self.publisher = AsyncPublisher(SOURCE, settings=settings)

    @property
    def keys(self) -> Keys:
        return self.identity.keys

    @property
    def client(self) -> AsyncClient:
        return self.publisher.client

    async def run(self, operation: Operation[T]) -> T:
        return await self.client.run(operation)

    async def catalogue(self) -> Catalogue:
        """The modules that may be seen, as the registry stands now."""
        whole = await self.run(catalogues.read(self.keys, now_ms=millis()))
        return Catalogue({name: self._visible(entry) for name, entry in whole.modules.items() if self._sees(name)})

    def _sees(self, module: str) -> bool:
        return self.exposure.shows(module)

    def _visible(self, entry: Entry) -> Entry:
        """The module with those types alone that may be seen."""
        contract = entry.contract
        accepts = {
            type: schema for type, schema in contract.accepts.items() if self.exposure.shows(contract.module, type)
        }
        if len(accepts) == len(contract.accepts):
            return entry
        return Entry(msgspec.structs.replace(contract, accepts=accepts), entry.instances)

    async def close(self) -> None:
        await self.publisher.close()

    async def __aenter__(self) -> Desk:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await asyncio.shield(self.close())

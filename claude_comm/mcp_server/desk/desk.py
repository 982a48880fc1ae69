"""What the tools of one server work with: the connection, the registry as last read, and who asks.

Law: one publisher for all callers of a process. What a caller may do is decided here, before anything is sent.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec

from claude_comm.client.identity import Identity, identify, millis
from claude_comm.client.publisher.async_publisher import AsyncPublisher
from claude_comm.effects import Operation
from claude_comm.mcp_server.desk import catalogue as catalogues
from claude_comm.mcp_server.desk.catalogue import ModuleCatalogue, ModuleEntry
from claude_comm.mcp_server.desk.exposure import Caller, Exposure
from claude_comm.mcp_server.desk.index import SampleIndex
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.transport.async_driver import AsyncClient

T = TypeVar("T")

# The module in whose name agents speak, where a token names no other.
SOURCE = "mcp"


class Desk:
    """An async context manager."""

    def __init__(self, settings: Settings, exposure: Exposure) -> None:
        self.settings, self.exposure = settings, exposure
        self.identity: Identity = identify(SOURCE, settings)
        self.publisher = AsyncPublisher(SOURCE, settings=settings)
        self.index = SampleIndex()
        self._publishers = {SOURCE: self.publisher}

    @property
    def keys(self) -> Keys:
        return self.identity.keys

    @property
    def client(self) -> AsyncClient:
        return self.publisher.client

    async def run(self, operation: Operation[T]) -> T:
        return await self.client.run(operation)

    def publisher_of(self, caller: Caller) -> AsyncPublisher:
        """The publisher of the module in whose name the caller speaks."""
        name = caller.module or SOURCE
        if name not in self._publishers:
            self._publishers[name] = AsyncPublisher(name, settings=self.settings, client=self.client)
        return self._publishers[name]

    async def catalogue(self, caller: Caller) -> ModuleCatalogue:
        """The modules that this caller may see, as the registry stands now."""
        whole = await self.run(catalogues.read(self.keys, now_ms=millis()))
        seen = [name for name in whole.modules if self.exposure.shows(name) and _sees(caller, name)]
        return ModuleCatalogue({name: self._visible(whole.modules[name]) for name in seen})

    def _visible(self, entry: ModuleEntry) -> ModuleEntry:
        """The module with those types alone that may be seen."""
        contract = entry.contract
        accepts = {
            type: schema for type, schema in contract.accepts.items() if self.exposure.shows(contract.module, type)
        }
        if len(accepts) == len(contract.accepts):
            return entry
        return ModuleEntry(msgspec.structs.replace(contract, accepts=accepts), entry.instances)

    async def close(self) -> None:
        for publisher in reversed(self._publishers.values()):
            await publisher.close()

    async def __aenter__(self) -> Desk:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await asyncio.shield(self.close())


def _sees(caller: Caller, module: str) -> bool:
    """Whoever may write to a module may see what it takes."""
    return caller.may("read", module) or caller.may("send", module)

"""What a module declares by its decorators and by `produces`: handlers, start functions, and what its contract says.

Law: a declaration stands for all runs of the module. What is said of a type for which there is no handler, because its
registration was refused, is no part of the contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from claude_comm.client.module.handlers import Handler
from claude_comm.client.module.signatures import is_async
from claude_comm.registry.contracts import Aliases, Produced, Schema

# No wait that a person would notice, however often it is made longer.
_AT_ONCE_S = 0.001


class Declarations(msgspec.Struct):
    """Handlers, aliases and passed properties by message type; the others in their order."""

    handlers: dict[str, Handler] = {}
    produces: list[Produced] = []
    aliases: dict[str, Aliases] = {}
    passes: dict[str, list[str]] = {}
    starters: list[Callable[..., Any]] = []

    def accepts(self) -> dict[str, Schema]:
        """The schema of the payload, by message type."""
        return {type: handler.schema for type, handler in self.handlers.items()}

    def replies(self) -> dict[str, Schema]:
        """The schema of the reply, by message type, where the handler is annotated with its result."""
        return {type: handler.reply for type, handler in self.handlers.items() if handler.reply is not None}

    def at_once(self) -> Declarations:
        """The same, with every message that failed tried again at once."""
        handlers = {
            type: msgspec.structs.replace(
                handler, retry=msgspec.structs.replace(handler.retry, first_wait_s=_AT_ONCE_S)
            )
            for type, handler in self.handlers.items()
        }
        return msgspec.structs.replace(self, handlers=handlers)

    def needs_loop(self) -> bool:
        """Whether a handler or a start function is `async`."""
        return any(handler.is_async for handler in self.handlers.values()) or any(map(is_async, self.starters))

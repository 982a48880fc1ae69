"""What a rule for one kind of pydantic's core schemas needs of the walk that applies it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from claude_comm.schema.types.definitions import Definitions
from claude_comm.schema.types.direction import Schema
from claude_comm.schema.types.pydantic_nodes import Core, Mode


class PydanticWalk(Protocol):
    """A walk through one core schema. `referred` has its definitions by the `ref` of each."""

    definitions: Definitions
    referred: dict[str, Core]

    def schema(self, node: Core, mode: Mode) -> Schema:
        """The schema of the values that a node reads or writes."""
        ...

    def key(self, node: Core, mode: Mode) -> Schema:
        """The schema of the texts that a node reads or writes as the name of a member."""
        ...


Rule: TypeAlias = Callable[[PydanticWalk, Core, Mode], Schema]

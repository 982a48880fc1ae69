"""What was read from a document of another format: a contract, and what it could not say, each with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.names import is_name
from claude_comm.registry.contracts import Contract, Produced, Schema, contract
from claude_comm.registry.versions import check_version

# A step is the name of a member, or the position of an item.
Steps: TypeAlias = tuple[str | int, ...]

_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_MAX_CHARACTERS = 64


class Note(msgspec.Struct, frozen=True):
    """What is not in the contract, or is there in another way: where in the document (a JSON Pointer), and why."""

    path: str
    sentence: str


class Imported(msgspec.Struct, frozen=True):
    """One contract, and the notes about what it could not express."""

    contract: Contract
    notes: list[Note]


class ContractDraft(msgspec.Struct):
    """A contract while it is read."""

    module: str
    version: str = "1.0.0"
    description: str = ""
    accepts: dict[str, Schema] = {}
    produces: list[Produced] = []
    replies: dict[str, Schema] = {}
    aliases: dict[str, dict[str, list[str]]] = {}
    passes: dict[str, list[str]] = {}
    topics: list[str] = []
    compatibility: Any = "none"
    enforcement: Any = "enforce"

    def finished(self, notes: Sequence[Note]) -> Imported:
        """The contract. Raises ConfigurationError for one that declares nothing."""
        if not self.accepts and not self.produces:
            reasons = "".join(f"\n  {note.path}: {note.sentence}" for note in notes)
            raise ConfigurationError(f"nothing in the document could be read as a message.{reasons}")
        given = {name: getattr(self, name) for name in self.__struct_fields__ if name != "module"}
        return Imported(contract(self.module, **given), list(notes))


def name_of(text: object, otherwise: str) -> str:
    """A name of ours that is nearest to this text: of a module, a topic or a type of message."""
    name = _FOREIGN.sub("-", text if isinstance(text, str) else "").strip("-.")[:_MAX_CHARACTERS]
    return name if is_name(name) else otherwise


def version_of(text: object, notes: list[Note], path: str) -> str:
    """A semantic version; 1.0.0 for what is none, which is noted."""
    try:
        return check_version(str(text))
    except ConfigurationError:
        notes.append(Note(path, f"{text!r} is no semantic version: 1.0.0 is taken."))
        return "1.0.0"


def free_type(wanted: str, taken: Mapping[str, object]) -> str:
    """The type itself, or with a number where it is taken."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted[: _MAX_CHARACTERS - 4]}.{count}"
    return name

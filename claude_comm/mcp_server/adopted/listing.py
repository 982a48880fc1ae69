"""A list of tools as the contract of a module.

Law: pure. Each tool is a type of message whose schema is the tool's own. Its reply is what its output schema says, or,
without one, the content of a tool's answer. The version counts up from the one before by what is proved: a list that
takes all that the old one took, and answers nothing new, is a minor version of it; any other is a major one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.client.payload_types import produced
from claude_comm.errors import ConfigurationError
from claude_comm.interchange import mcp_tools
from claude_comm.interchange.agent_answers import KEYWORD, ToolAnswer
from claude_comm.interchange.imported import Note, free_type
from claude_comm.registry.contracts import Contract, Schema, contract
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import contained

# Hints of the protocol, as the keyword has them.
_HINTS = {
    "readOnlyHint": "readOnly",
    "destructiveHint": "destructive",
    "idempotentHint": "idempotent",
    "openWorldHint": "openWorld",
}


class Adoption(msgspec.Struct, frozen=True):
    """The contract of an adopted server, the tool's own name for each type of message, and what was left out."""

    contract: Contract
    tools: dict[str, str]
    notes: list[Note]

    def answers_data(self, type: str) -> bool:
        """Whether the tool says what its result is; else its content is passed on as it is."""
        return self.contract.replies[type] != _content()


def adoption(name: str, tools: Sequence[Any], *, description: str = "", version: str = "1.0.0") -> Adoption:
    """The contract of these tools. Raises ConfigurationError where none can be used."""
    accepts: dict[str, Schema] = {}
    replies: dict[str, Schema] = {}
    names: dict[str, str] = {}
    notes: list[Note] = []
    for index, tool in enumerate(tools):
        try:
            imported = mcp_tools.read([tool], ())
        except ConfigurationError as error:
            notes.append(Note(f"#/{index}", str(error)))
            continue
        [(wanted, schema)] = imported.contract.accepts.items()
        type = free_type(wanted, accepts)
        accepts[type] = _with_hints(schema, tool)
        replies[type] = imported.contract.replies.get(wanted, _content())
        names[type] = tool["name"]
        notes += [Note(f"#/{index}{note.path[3:]}", note.sentence) for note in imported.notes]
    if not accepts:
        raise ConfigurationError(f"{name!r} has no tool that can be used: {'; '.join(note.sentence for note in notes)}")
    declared = contract(name, version=version, accepts=accepts, replies=replies, description=description)
    return Adoption(declared, names, notes)


def following(old: Contract, new: Adoption) -> Adoption:
    """The new list under the version that it has after the old one; the old version where it is the same."""
    declared = msgspec.structs.replace(new.contract, version=old.version)
    if declared.digest == old.digest:
        return msgspec.structs.replace(new, contract=declared)
    major, minor, _ = (int(part) for part in old.version.split("-", 1)[0].split("+", 1)[0].split("."))
    version = f"{major}.{minor + 1}.0" if _keeps(old, declared) else f"{major + 1}.0.0"
    return msgspec.structs.replace(new, contract=msgspec.structs.replace(declared, version=version))


def may_repeat(schema: Schema) -> bool:
    """Whether a tool says that it only reads, or that calling it again changes nothing more."""
    hints = schema.get(KEYWORD, {}) if isinstance(schema, dict) else {}
    return hints.get("readOnly") is True or hints.get("idempotent") is True


def _keeps(old: Contract, new: Contract) -> bool:
    """Whether whoever sent by the old contract may go on, and reads nothing new: proved for every type of message."""
    return all(
        type in new.accepts
        and contained(check(schema, new.accepts[type]))
        and contained(check(new.replies.get(type, True), old.replies.get(type, True)))
        for type, schema in old.accepts.items()
    )


def _content() -> Schema:
    return produced(ToolAnswer)


def _with_hints(schema: Schema, tool: dict[str, Any]) -> Schema:
    hints = tool.get("annotations")
    if not isinstance(schema, dict) or not isinstance(hints, dict):
        return schema
    said = {ours: hints[theirs] for theirs, ours in _HINTS.items() if isinstance(hints.get(theirs), bool)}
    return {**schema, KEYWORD: said} if said else schema

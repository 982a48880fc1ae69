"""What the registry offers as tools: every accepted type of message of every module, with its proved forms.

Law: a catalogue is a value, made from one reading of the registry; names are unique and in order, so two readings of
the same registry are the same list.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from claude_comm.effects import Operation
from claude_comm.errors import UnknownModule
from claude_comm.interchange.agent_answers import INPUT_PROPERTY, KEYWORD
from claude_comm.mcp_server.desk.tool_names import tool_name
from claude_comm.mcp_server.tool_schemas.forms import ToolForm
from claude_comm.mcp_server.tool_schemas.proved import Coverage, Partial, ProvedTools, UnknownCoverage, prove
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.ops.registry import Standing
from claude_comm.registry.contracts import Contract, Schema


class ModuleEntry(msgspec.Struct, frozen=True):
    """A module as it stands: its contract in force, and how many of its instances run."""

    contract: Contract
    instances: int


class MessageTool(msgspec.Struct, frozen=True):
    """A tool that sends one type of message to one module."""

    name: str
    module: str
    type: str
    form: ToolForm
    contract: Contract
    coverage: Coverage | None

    @property
    def hints(self) -> dict[str, Any]:
        """What the module says about its tool."""
        return agent_words(self.contract.accepts[self.type])

    @property
    def task(self) -> str:
        """Whether a call becomes a task: `slow` (where it takes long), `optional`, `required` or `never`."""
        word = self.hints.get("task")
        return word if word in ("optional", "required", "never") else "slow"

    @property
    def description(self) -> str:
        schema = self.contract.accepts[self.type]
        words = schema.get("description", "") if isinstance(schema, dict) else ""
        said = str(words or self.contract.description or f"Sends a {self.type!r} message to the module {self.module}.")
        if self.form.branch:
            said += f" This is its form {self.form.branch!r}."
        return f"{said} ({self.module}.{self.type}, held to its contract {self.contract.version}.{_left_out(self)})"


class ModuleCatalogue(msgspec.Struct, frozen=True):
    """The modules by name."""

    modules: dict[str, ModuleEntry]

    def messages(self, kind: str = "tool") -> Iterable[tuple[Contract, str]]:
        """The accepted types of message that appear as tools, prompts or resources, in order."""
        for name in sorted(self.modules):
            contract = self.modules[name].contract
            for type in sorted(contract.accepts):
                if agent_words(contract.accepts[type]).get("as", "tool") == kind:
                    yield contract, type

    def known(self, module: str) -> ModuleEntry:
        """Raises UnknownModule."""
        if module not in self.modules:
            raise UnknownModule(module, list(self.modules))
        return self.modules[module]


def read(keys: Keys, *, now_ms: int) -> Operation[ModuleCatalogue]:
    """The catalogue as the registry stands: of each module the release that messages are best meant for."""
    directory = yield from registry.everyone(keys, now_ms=now_ms)
    chosen = {standing.module: offered[0] for standing in directory.modules if (offered := standing.offered())}
    contracts = yield from registry.contracts_of(keys, [(name, release.digest) for name, release in chosen.items()])
    alive = {standing.module: _alive(standing) for standing in directory.modules}
    return ModuleCatalogue(
        {
            name: ModuleEntry(contracts[release.digest], alive[name])
            for name, release in chosen.items()
            if release.digest in contracts
        }
    )


def _alive(standing: Standing) -> int:
    return sum(instance.state != "gone" for instance in standing.instances)


def tools_of(contract: Contract, type: str, *, bare: bool = False) -> list[MessageTool]:
    """The tools of one type of message; with `bare`, named by the type alone."""
    proved = proved_tools(contract, type)
    module = "" if bare else contract.module
    return [
        MessageTool(tool_name(module, type, form.branch), contract.module, type, form, contract, proved.coverage)
        for form in proved.forms
    ]


def proved_tools(contract: Contract, type: str) -> ProvedTools:
    return prove(for_agents(contract.accepts[type]))


def for_agents(schema: Schema) -> Schema:
    """The accepted schema without the property that only this server fills in."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(properties, dict) or INPUT_PROPERTY not in properties:
        return schema
    return {**schema, "properties": {name: part for name, part in properties.items() if name != INPUT_PROPERTY}}


def takes_input(schema: Schema) -> bool:
    """Whether the module can be handed what a user answered."""
    return for_agents(schema) is not schema


def agent_words(schema: Schema) -> dict[str, Any]:
    words = schema.get(KEYWORD) if isinstance(schema, dict) else None
    return words if isinstance(words, dict) else {}


def _left_out(tool: MessageTool) -> str:
    """What the tools of this message cannot say, with a witness."""
    if isinstance(tool.coverage, Partial):
        witness = msgspec.json.encode(tool.coverage.witness).decode()
        return f" It says less than the contract: not {witness[:200]}"
    if isinstance(tool.coverage, UnknownCoverage):
        return " Whether it says all of the contract could not be decided"
    return ""

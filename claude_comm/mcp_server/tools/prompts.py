"""Prompts that modules have: messages that a person sends off, with arguments that they fill in.

Law: arguments of prompts are texts; each value that the schema of an argument lists is offered while it is typed.
"""

from __future__ import annotations

from typing import Any

import msgspec

from claude_comm.interchange.agent_answers import PromptAnswer, Question
from claude_comm.mcp_server.desk.answers import ToolReply
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.catalogue import ModuleCatalogue, agent_words, for_agents
from claude_comm.mcp_server.desk.exposure import Exposure
from claude_comm.mcp_server.desk.modules import Fault, call_module
from claude_comm.mcp_server.desk.tool_names import tool_name
from claude_comm.registry.contracts import Contract

# The most that the protocol lets a list of suggestions have.
MAX_SUGGESTED = 100


class Argument(msgspec.Struct, frozen=True):
    name: str
    description: str
    required: bool
    values: list[str]


class ListedPrompt(msgspec.Struct, frozen=True):
    """A prompt as clients see it, and the message that it is."""

    name: str
    title: str
    description: str
    arguments: list[Argument]
    contract: Contract
    type: str


def listed(catalogue: ModuleCatalogue, exposure: Exposure) -> list[ListedPrompt]:
    """The prompts of modules by name. A name that two would have is the fuller one."""
    taken: set[str] = set()
    prompts = []
    for contract, type in catalogue.messages("prompt"):
        name = tool_name("" if contract.module in exposure.bare else contract.module, type)
        name = tool_name(contract.module, type) if name in taken else name
        taken.add(name)
        prompts.append(_listed(name, contract, type))
    return sorted(prompts, key=lambda prompt: prompt.name)


async def get(call: Call, prompt: ListedPrompt, arguments: dict[str, str]) -> PromptAnswer | Question | str:
    """The messages of a prompt, or why there are none."""
    outcome = await call_module(call, prompt.contract, prompt.type, dict(arguments))
    if isinstance(outcome, PromptAnswer | Question):
        return outcome
    if isinstance(outcome, Fault):
        return outcome.sentence
    return outcome.text if isinstance(outcome, ToolReply) and outcome.is_error else "it answered with what is no prompt"


def suggested(prompts: list[ListedPrompt], name: str, argument: str, typed: str) -> list[str]:
    """The values of an argument that begin as typed."""
    values = [
        value
        for prompt in prompts
        if prompt.name == name
        for offered in prompt.arguments
        if offered.name == argument
        for value in offered.values
    ]
    return [value for value in values if value.casefold().startswith(typed.casefold())]


def _listed(name: str, contract: Contract, type: str) -> ListedPrompt:
    schema = for_agents(contract.accepts[type])
    whole: dict[str, Any] = schema if isinstance(schema, dict) else {}
    words = agent_words(contract.accepts[type])
    arguments = [
        _argument(argument, part if isinstance(part, dict) else {}, argument in whole.get("required", ()))
        for argument, part in whole.get("properties", {}).items()
    ]
    said = str(whole.get("description") or contract.description or f"A prompt of {contract.module}.")
    return ListedPrompt(name, str(words.get("title", name)), said, arguments, contract, type)


def _argument(name: str, schema: dict[str, Any], required: bool) -> Argument:
    values = [value for value in schema.get("enum", schema.get("examples", ())) if isinstance(value, str)]
    return Argument(name, str(schema.get("description", "")), required, values)

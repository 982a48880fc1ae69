"""Finding modules, reading what they accept, and calling them: the three tools that a server has when nothing is said.

Law: a long list of tools costs a model its context, so what can be called is found first, then described, then called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from claude_comm.errors import UnknownModule
from claude_comm.mcp_server.desk.answers import ToolReply, as_text, cut, example, marked, refused_by
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.catalogue import ModuleEntry, for_agents, proved_tools
from claude_comm.mcp_server.desk.exposure import SERVER, Exposure
from claude_comm.mcp_server.desk.modules import TIMEOUT_S, Outcome, call_module
from claude_comm.mcp_server.tool_schemas.proved import Partial, UnknownCoverage
from claude_comm.mcp_server.tools import own
from claude_comm.mcp_server.tools.definition import (
    READS,
    SENDS,
    FixedTool,
    integer,
    object_schema,
    text,
)
from claude_comm.registry.contracts import Contract

MAX_FOUND = 50
# Words of a question that say nothing of what is looked for.
_EMPTY_WORDS = frozenset(
    "a an and are can did do does for how i in is it me my of on or that the this to what who why with".split()
)
# Endings of words, and how much is left of one at least.
_ENDINGS, _LEAST_STEM = ("ing", "ies", "es", "ed", "s", "e", "y"), 4


async def find_modules(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """Modules whose name, types or words have every word of the query, or else most of them, and that accept the
    sample, if one is given."""
    catalogue = await call.desk.catalogue(call.caller)
    words = _asked(arguments.get("query", ""))
    fitting = call.desk.index.taking(catalogue, arguments["accepts"]) if "accepts" in arguments else None
    counted = []
    for contract, type in catalogue.messages():
        if fitting is not None and (contract.module, type) not in fitting:
            continue
        count = _count(words, contract.module, type, contract.description, _words(contract, type))
        counted.append((count, _row(catalogue.modules[contract.module], type)))
    # Those that have the most of the words: all of them, where there are such.
    most = max((count for count, _ in counted), default=0)
    rows = [row for count, row in counted if count == most] if most or not words else []
    shown = rows[: arguments.get("limit", 20)]
    more = f"\n{len(rows) - len(shown)} more: narrow the query or raise limit." if len(rows) > len(shown) else ""
    listed = [f"- {row['module']} {row['type']} ({row['instances']} running): {row['description']}" for row in shown]
    if not shown:
        found = f"No module matches; there are {len(catalogue.modules)}. Without words find_modules lists them all."
    else:
        found = marked("\n".join(listed), "the registry")
        if most < len(words):
            found = f"No module has all of these words; these have {most} of {len(words)}.\n{found}"
        more += "\nNext: describe_module, then call_module."
    server = [] if fitting is not None else _of_server(call.desk.exposure, words)
    return ToolReply(f"{found}{more}{_told(server)}", {"found": shown, "of": len(rows), "server": server})


def _asked(query: str) -> list[str]:
    """The words of a query without those that say nothing, and without endings: `invoices` finds an invoice."""
    words = [word.strip(".,:;!?\"'()") for word in query.casefold().split()]
    telling = [word for word in words if word and word not in _EMPTY_WORDS]
    return [_stem(word) for word in telling or filter(None, words)]


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _LEAST_STEM), "")
    return word.removesuffix(ending)


def _count(words: Sequence[str], *texts: str) -> int:
    told = " ".join(texts).casefold()
    return sum(word in told for word in words)


def _of_server(exposure: Exposure, words: Sequence[str]) -> list[dict[str, str]]:
    """The server's own tools that fit the words; every one without words."""
    return [
        {"module": SERVER, "type": tool.name, "description": tool.description}
        for tool in own.reachable(exposure).values()
        if not words or 2 * _count(words, tool.name, tool.title, tool.description) > len(words)
    ]


def _told(server: Sequence[Mapping[str, str]]) -> str:
    if not server:
        return ""
    lines = [f"- {row['type']}: {row['description']}" for row in server]
    return "\n".join([f"\nThis server itself, called by call_module as module {SERVER}:", *lines])


def _row(entry: ModuleEntry, type: str) -> dict[str, Any]:
    contract = entry.contract
    return {
        "module": contract.module,
        "type": type,
        "version": contract.version,
        "instances": entry.instances,
        "description": (_words(contract, type) or contract.description)[:200],
    }


def _words(contract: Contract, type: str) -> str:
    schema = contract.accepts[type]
    words = schema.get("description", schema.get("title", "")) if isinstance(schema, dict) else ""
    return str(words)


async def describe_module(call: Call, arguments: dict[str, Any]) -> ToolReply:
    """What a module accepts, answers and sends, each type with a smallest message that it takes."""
    catalogue = await call.desk.catalogue(call.caller)
    module, type = arguments["module"], arguments.get("type", "")
    try:
        if module == SERVER and call.desk.exposure.searched:
            described = own.description(call.desk.exposure, type)
        else:
            described = description(catalogue.known(module), type)
    except UnknownModule as error:
        return refused_by(error)
    part, rest = cut(as_text(described), arguments.get("offset", 0), "Call describe_module again")
    whole = described if not rest and not arguments.get("offset") else {"module": module, "cut": True}
    return ToolReply(f"{marked(part, f'the contract of {module}')}\n{rest}".rstrip(), whole)


def description(entry: ModuleEntry, type: str = "") -> dict[str, Any]:
    """A module as a document for agents."""
    contract = entry.contract
    types = [name for name in sorted(contract.accepts) if type in ("", name)]
    return {
        "module": contract.module,
        "version": contract.version,
        "description": contract.description,
        "instances": entry.instances,
        "accepts": {name: _accepted(contract, name) for name in types},
        "produces": msgspec.to_builtins(contract.produces),
    }


def _accepted(contract: Contract, type: str) -> dict[str, Any]:
    proved = proved_tools(contract, type)
    schema = for_agents(contract.accepts[type])
    told: dict[str, Any] = {"schema": schema, "example": example(schema)}
    if type in contract.replies:
        told["answers"] = contract.replies[type]
    if isinstance(proved.coverage, Partial):
        told["tool_leaves_out"] = proved.coverage.witness
    elif isinstance(proved.coverage, UnknownCoverage):
        told["tool_leaves_out"] = f"could not be decided: {proved.coverage.why}"
    elif proved.why_none:
        told["no_tool_of_its_own"] = proved.why_none
    return told


async def call_any(call: Call, arguments: dict[str, Any]) -> Outcome:
    """Sends a message to a module and waits for its reply."""
    if arguments["module"] == SERVER and call.desk.exposure.searched:
        return await own.call_own(call, arguments["type"], arguments["message"])
    catalogue = await call.desk.catalogue(call.caller)
    try:
        entry = catalogue.known(arguments["module"])
    except UnknownModule as error:
        return refused_by(error)
    seconds = arguments.get("timeout_s", TIMEOUT_S)
    return await call_module(call, entry.contract, arguments["type"], arguments["message"], timeout_s=seconds)


_MODULE = text("The name of a module.")
_TYPE = text("The type of message.")

TOOLS = (
    FixedTool(
        name="find_modules",
        title="Find modules",
        description=(
            "Finds what can be called, by words in its name and description, or by a message that it would accept:"
            " modules, and what this server itself can do (why a message did not arrive, send it again). Start here."
        ),
        schema=object_schema(
            query=text("Words; those that have the most of them are listed. Empty lists everything."),
            accepts={"description": "A sample message: only modules whose contract accepts it are found."},
            limit=integer("How many are listed.", 1, MAX_FOUND, 20),
        ),
        hints=READS,
        run=find_modules,
    ),
    FixedTool(
        name="describe_module",
        title="Describe a module",
        description="Shows what a module accepts, with the JSON Schema and an example of each type of message.",
        schema=object_schema(
            ("module",),
            module=_MODULE,
            type=text("Only this type of message."),
            offset=integer("Where to read on in a long description.", 0, 10_000_000, 0),
        ),
        hints=READS,
        run=describe_module,
    ),
    FixedTool(
        name="call_module",
        title="Call a module",
        description=(
            "Sends a message to a module and returns its reply. The message is held to the module's contract first; a"
            " refusal says where it breaks it and what would be taken."
        ),
        schema=object_schema(
            ("module", "type", "message"),
            module=_MODULE,
            type=_TYPE,
            message={"description": "The message, as describe_module shows its schema."},
            timeout_s={"type": "number", "description": "Seconds to wait.", "minimum": 0.1, "maximum": 600},
        ),
        hints=SENDS,
        run=call_any,
    ),
)

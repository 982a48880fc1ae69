"""Resources: the registry, agreements, sessions and reports by address, and those that modules have themselves.

Law: an address that leads nowhere has no content. What a template names is taken apart by the template alone.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from claude_comm.client.identity import micros
from claude_comm.errors import NotFound, UnknownModule
from claude_comm.interchange.agent_answers import Question, ResourceAnswer
from claude_comm.mcp_server.desk.answers import as_text
from claude_comm.mcp_server.desk.call import Call
from claude_comm.mcp_server.desk.catalogue import ModuleCatalogue, agent_words
from claude_comm.mcp_server.desk.modules import Outcome, call_module
from claude_comm.mcp_server.desk.projection import asked
from claude_comm.mcp_server.tools.discovery import description
from claude_comm.ops import agreements
from claude_comm.registry.contracts import Contract
from claude_comm.report.markdown import markdown
from claude_comm.store import session_list
from claude_comm.store.report_figures import ReportScope, report
from claude_comm.version import __version__

SCHEME = "claude-comm://"
JSON, MARKDOWN = "application/json", "text/markdown"


class ListedResource(msgspec.Struct, frozen=True):
    """A resource, or a template of addresses where `uri` has names in braces."""

    uri: str
    name: str
    description: str
    mime_type: str

    @property
    def is_template(self) -> bool:
        return "{" in self.uri


class Content(msgspec.Struct, frozen=True):
    """What stands at an address."""

    uri: str
    mime_type: str
    text: str


_OWN = (
    ListedResource(f"{SCHEME}modules", "modules", "The registered modules and what they accept.", JSON),
    ListedResource(f"{SCHEME}modules/{{module}}", "module", "A module: contract, examples, instances.", JSON),
    ListedResource(f"{SCHEME}contracts/{{module}}", "contract", "The contract of a module as it is registered.", JSON),
    ListedResource(f"{SCHEME}agreements/{{id}}", "agreement", "An agreement or a refusal, with its verdict.", JSON),
    ListedResource(f"{SCHEME}sessions/{{session}}", "session", "A session: hops, tasks, members.", JSON),
    ListedResource(f"{SCHEME}reports/{{session}}", "report", "The report of a session.", MARKDOWN),
)


def listed(catalogue: ModuleCatalogue) -> list[ListedResource]:
    """All resources and templates, the server's own first."""
    return [*_OWN, *(_of_module(contract, type) for contract, type in catalogue.messages("resource"))]


def _of_module(contract: Contract, type: str) -> ListedResource:
    words = agent_words(contract.accepts[type])
    schema = contract.accepts[type]
    said = schema.get("description", "") if isinstance(schema, dict) else ""
    uri = str(words.get("uriTemplate") or words.get("uri") or f"{SCHEME}of/{contract.module}/{type}")
    return ListedResource(
        uri, f"{contract.module}.{type}", said or f"Of {contract.module}.", str(words.get("mimeType", JSON))
    )


async def read(call: Call, uri: str) -> list[dict[str, Any]] | Question | None:
    """The contents at an address; None where it leads nowhere. Raises ClaudeCommError."""
    catalogue = await call.desk.catalogue(call.caller)
    own = [(_names(resource.uri, uri), resource) for resource in _OWN]
    for names, resource in own:
        if names is not None:
            text = await _own_text(call, catalogue, resource.name, names)
            return None if text is None else [{"uri": uri, "mimeType": resource.mime_type, "text": text}]
    for contract, type in catalogue.messages("resource"):
        names = _names(_of_module(contract, type).uri, uri)
        if names is not None:
            return _contents(await call_module(call, contract, type, names))
    return None


def _contents(outcome: Outcome) -> list[dict[str, Any]] | Question | None:
    if isinstance(outcome, ResourceAnswer):
        return outcome.contents
    return outcome if isinstance(outcome, Question) else None


def _names(template: str, uri: str) -> dict[str, str] | None:
    """The values of the names in a template at this address; None for an address of another form."""
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    match = re.fullmatch(pattern, uri)
    return None if match is None else {name: unquote(value) for name, value in match.groupdict().items()}


async def _own_text(call: Call, catalogue: ModuleCatalogue, name: str, names: dict[str, str]) -> str | None:
    try:
        if name == "modules":
            return as_text([_summary(catalogue, module) for module in sorted(catalogue.modules)])
        if name == "module":
            return as_text(description(catalogue.known(names["module"])))
        if name == "contract":
            return as_text(msgspec.to_builtins(catalogue.known(names["module"]).contract))
    except UnknownModule:
        return None
    if not call.caller.may("read") or call.desk.exposure.narrowed:
        return None
    return await _recorded(call, name, names)


async def _recorded(call: Call, name: str, names: dict[str, str]) -> str | None:
    """What is stored of agreements and sessions."""
    settings = call.desk.settings
    if name == "agreement":
        agreement = await call.desk.run(agreements.find(call.desk.keys, names["id"]))
        return None if agreement is None else as_text(msgspec.to_builtins(agreement))
    session = names["session"]
    try:
        detail = await asked(settings, lambda database: session_list.session(database, session))
        if detail is None:
            return None
        if name == "session":
            return as_text(msgspec.to_builtins(detail))
        scope, now_us = ReportScope(session), micros()
        return await asked(
            settings, lambda database: markdown(report(database, scope, now_us=now_us, version=__version__))
        )
    except NotFound:
        return None


def _summary(catalogue: ModuleCatalogue, module: str) -> dict[str, Any]:
    entry = catalogue.modules[module]
    return {
        "module": module,
        "version": entry.contract.version,
        "instances": entry.instances,
        "accepts": sorted(entry.contract.accepts),
        "uri": f"{SCHEME}modules/{quote(module)}",
    }

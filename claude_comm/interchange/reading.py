"""Which format a document has, and its contracts."""

from __future__ import annotations

from collections.abc import Mapping

from claude_comm.errors import ConfigurationError
from claude_comm.interchange import asyncapi_reader, mcp_tools, openapi
from claude_comm.interchange.imported import Imported
from claude_comm.schema.verdict import Json


def read(document: Json, origin: str) -> list[Imported]:
    """The contracts in an OpenAPI, AsyncAPI or MCP document. Raises ConfigurationError for another one."""
    if (at := mcp_tools.tools_of(document)) is not None:
        return [mcp_tools.read(document, at)]
    if isinstance(document, Mapping):
        if str(document.get("openapi", "")).startswith(("3.0", "3.1")):
            return [openapi.read(dict(document))]
        if str(document.get("asyncapi", "")).startswith(("2.", "3.")):
            return asyncapi_reader.read(dict(document))
        for word in ("openapi", "asyncapi", "swagger"):
            if word in document:
                raise ConfigurationError(
                    f"{origin} is {word} {document[word]}, which is not read: convert it to OpenAPI 3.0 or 3.1, or to "
                    "AsyncAPI 2 or 3."
                )
    raise ConfigurationError(
        f"{origin} is none of the formats that are read: OpenAPI 3.0 and 3.1 (`openapi`), AsyncAPI 2 and 3 "
        "(`asyncapi`), and lists of MCP tools (`tools`)."
    )

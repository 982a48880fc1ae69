"""A module as an A2A 1.0 agent card.

Law: a card says only what is there. A module is reached over its stream, so that is its interface, under a binding of
ours; a gateway that speaks one of A2A's own bindings is named by whoever runs it. A skill has no place for a schema in
A2A 1.0: schemas stand under an extension, by skill, each with its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from claude_comm.interchange.asyncapi import ReleaseEntry
from claude_comm.names import Keys
from claude_comm.registry.canonical import schema_digest
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.dialect import URI, dialect_of
from claude_comm.schema.verdict import Incompatible, Json

PROTOCOL_VERSION = "1.0"
# Of messages on a stream, each an envelope in MessagePack.
STREAM_BINDING = "urn:claude-comm:binding:streams:1"
CONTRACT_EXTENSION = "urn:claude-comm:extension:contract:1"
_MODE = "application/json"


class Interface(msgspec.Struct, frozen=True):
    """Where an agent is reached: an address, and what is spoken there (JSONRPC, GRPC, HTTP+JSON, or a URI)."""

    url: str
    binding: str = STREAM_BINDING


def agent_card(keys: Keys, published: ReleaseEntry, interfaces: list[Interface]) -> dict[str, Any]:
    """The card of one release of a module, whose interfaces are named with the preferred one first."""
    contract = published.contract
    return {
        "name": contract.module,
        "description": contract.description or f"The module {contract.module}.",
        "version": contract.version,
        "supportedInterfaces": [
            {"url": interface.url, "protocolBinding": interface.binding, "protocolVersion": PROTOCOL_VERSION}
            for interface in interfaces
        ],
        "capabilities": {
            "streaming": False,
            "pushNotifications": False,
            "extensions": [
                {
                    "uri": CONTRACT_EXTENSION,
                    "description": "The contract: the schema of each skill's input and output, with digests.",
                    "required": False,
                    "params": _params(keys, published),
                }
            ],
        },
        "defaultInputModes": [_MODE],
        "defaultOutputModes": [_MODE],
        "skills": list(_skills(contract)),
    }


def _skills(contract: Contract) -> Iterator[dict[str, Any]]:
    """One skill an accepted type."""
    for type, schema in contract.accepts.items():
        title = schema.get("title") if isinstance(schema, dict) else None
        words = schema.get("description") if isinstance(schema, dict) else None
        yield {
            "id": type,
            "name": title if isinstance(title, str) and title else type,
            "description": words if isinstance(words, str) and words else f"Handles {type} messages.",
            "tags": ["claude-comm", contract.module],
            "inputModes": [_MODE],
            "outputModes": [_MODE],
            **({"examples": [example]} if (example := _example(schema)) else {}),
        }


def _params(keys: Keys, published: ReleaseEntry) -> dict[str, Any]:
    contract = published.contract
    return {
        "contract": {"module": contract.module, "version": contract.version, "digest": published.release.digest},
        "namespace": keys.namespace,
        "stream": keys.inbox(contract.module),
        "group": contract.module,
        "topics": contract.topics,
        "compatibility": contract.compatibility,
        "enforcement": contract.enforcement,
        "skills": {
            type: {
                "input": _declared(schema),
                **({"output": _declared(contract.replies[type])} if type in contract.replies else {}),
                "aliases": contract.aliases.get(type, {}),
                "validated": ["before it is sent", "before it is handled"],
                "failure": {"stream": keys.dead(contract.module), "says": ["reason", "path", "attempts"]},
            }
            for type, schema in contract.accepts.items()
        },
        "produces": [
            {"type": sent.type, **({"target": sent.target} if sent.target else {}), **_declared(sent.schema)}
            for sent in contract.produces
        ],
    }


def _declared(schema: Schema) -> dict[str, Json]:
    return {"schema": schema, "digest": schema_digest(schema), "dialect": URI[dialect_of(schema)]}


def _example(schema: Schema) -> str:
    """A smallest message, as JSON text; empty where none was found."""
    verdict = check(schema, False, policy="strict")
    return msgspec.json.encode(verdict.witness).decode() if isinstance(verdict, Incompatible) else ""

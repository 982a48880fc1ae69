"""The registered modules as an AsyncAPI 3.1.0 document.

Law: everything that AsyncAPI has a word for is said in it; what only we have stands in `x-` fields: the key of a
stream, its consumer groups, digests, the policy of a contract. A channel is an inbox or a topic; its address is the
target that a publisher names, because braces in an address are parameters there and hash tags here.

| channel | address | messages |
| --- | --- | --- |
| `inbox.NAME` | NAME | what NAME accepts, and what others declare to send it |
| `topic.NAME` | `topic:NAME` | what its readers accept, and what others declare to send it |
| `replies.NAME` | none: it is in the request | what NAME answers |
| `sends.NAME` | none: who reads it is not declared | what NAME sends without naming a target |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from claude_comm.envelope import MSGPACK
from claude_comm.interchange.references import embedded, fragment
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.registry.canonical import schema_digest
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.registry.releases import Release
from claude_comm.schema.dialect import Dialect, dialect_of
from claude_comm.schema.verdict import Json

VERSION = "3.1.0"
# What AsyncAPI allows as a name below `components`.
_FOREIGN = re.compile(r"[^\w.-]", re.ASCII)
_FORMATS: dict[Dialect, str] = {
    "draft2020-12": "2020-12",
    "draft2019-09": "2019-09",
    "draft7": "07",
    "draft6": "06",
    "draft4": "04",
}


class ReleaseEntry(msgspec.Struct, frozen=True):
    """One release to write down; `offered` where messages may be meant for it now."""

    release: Release
    contract: Contract
    offered: bool = True


def document(keys: Keys, published: Sequence[ReleaseEntry], *, url: str = "", version: str = "1.0.0") -> dict[str, Any]:
    """The AsyncAPI document of these releases. `url` is the server's address without a login (empty: not said)."""
    writer = _Writer(keys)
    for release in published:
        writer.receives(release)
    for release in published:
        writer.sends(release)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"claude-comm {keys.namespace}",
            "version": version,
            "description": "Modules that talk over Redis streams. Each message is an envelope in MessagePack; the "
            "schemas are those of its payload.",
            "x-namespace": keys.namespace,
        },
        **({"servers": {"streams": _server(url)}} if url else {}),
        "defaultContentType": MSGPACK,
        "channels": writer.channels,
        "operations": writer.operations,
        "components": {"messages": writer.messages, "schemas": writer.schemas},
    }


class _Writer:
    """The parts of a document while it is written. Each name is used once."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.channels: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self.messages: dict[str, Any] = {}
        self.schemas: dict[str, Any] = {}

    def receives(self, published: ReleaseEntry) -> None:
        """What a release accepts, in its inbox and in each topic that it reads, and what it answers."""
        contract = published.contract
        inbox = self._channel(contract.module)
        for type, schema in contract.accepts.items():
            message = self._message(contract, type, schema, "accepts")
            reply = self._reply(contract, type)
            for channel in (inbox, *(self._channel(f"{TOPIC_PREFIX}{topic}") for topic in contract.topics)):
                operation = {
                    "action": "receive",
                    "channel": _ref("channels", channel),
                    "messages": [self._offered(channel, message)],
                    **_about(published),
                    "x-group": contract.module,
                    **({"x-aliases": contract.aliases[type]} if type in contract.aliases else {}),
                    **({"x-passes": contract.passes[type]} if type in contract.passes else {}),
                    **({"reply": reply} if reply else {}),
                }
                self.operations[_free(f"{contract.module}.receive.{type}", self.operations)] = operation
        for topic in contract.topics:
            readers = self.channels[self._channel(f"{TOPIC_PREFIX}{topic}")].setdefault("x-groups", [])
            if contract.module not in readers:
                readers.append(contract.module)

    def sends(self, published: ReleaseEntry) -> None:
        """What a release declares to send."""
        contract = published.contract
        for sent in contract.produces:
            channel = self._channel(sent.target) if sent.target else self._unaddressed("sends", contract.module)
            message = self._message(contract, sent.type, sent.schema, "sends")
            self.operations[_free(f"{contract.module}.send.{sent.type}", self.operations)] = {
                "action": "send",
                "channel": _ref("channels", channel),
                "messages": [self._offered(channel, message)],
                **_about(published),
            }

    def _reply(self, contract: Contract, type: str) -> dict[str, Any] | None:
        if type not in contract.replies:
            return None
        channel = self._unaddressed("replies", contract.module)
        message = self._message(contract, type, contract.replies[type], "replies")
        return {
            "address": {"location": "$message.header#/reply_to"},
            "channel": _ref("channels", channel),
            "messages": [self._offered(channel, message)],
        }

    def _channel(self, target: str) -> str:
        """The name of the channel of a target, made where it is not there."""
        topic = target.removeprefix(TOPIC_PREFIX)
        name = f"topic.{topic}" if target.startswith(TOPIC_PREFIX) else f"inbox.{target}"
        stream: dict[str, Any] = {"x-stream": self.keys.stream(target), "x-later": self.keys.later(target)}
        if not target.startswith(TOPIC_PREFIX):
            stream |= {"x-groups": [target], "x-dead-letters": self.keys.dead(target)}
        self.channels.setdefault(name, {"address": target, "messages": {}, **stream})
        return name

    def _unaddressed(self, kind: str, module: str) -> str:
        name = f"{kind}.{module}"
        self.channels.setdefault(name, {"address": None, "messages": {}, "x-module": module})
        return name

    def _offered(self, channel: str, message: str) -> dict[str, str]:
        """The reference from an operation to a message of a channel, which is put there where it is missing."""
        self.channels[channel]["messages"].setdefault(message, _ref("components", "messages", message))
        return _ref("channels", channel, "messages", message)

    def _message(self, contract: Contract, type: str, schema: Schema, part: str) -> str:
        name = _free(f"{contract.module}.{part}.{type}.{contract.version}", self.messages)
        self.messages[name] = {
            "name": type,
            "title": f"{type} of {contract.module} {contract.version}",
            "contentType": MSGPACK,
            "headers": {"type": "object", "required": ["type"], "properties": {"type": {"const": type}}},
            "correlationId": {"location": "$message.header#/correlation"},
            "payload": self._schema(type, schema),
            "x-version": contract.version,
            "x-schema-digest": schema_digest(schema),
        }
        return name

    def _schema(self, type: str, schema: Schema) -> dict[str, str]:
        """The reference to a schema, which stands once, whoever uses it."""
        # The canonical digest passes over titles and descriptions, which a reader of this document wants to keep; names
        # keep apart what differs in them alone.
        start = _name(f"{type}.{schema_digest(schema)}")
        name, count = start, 1
        entry = self._entry(name, schema)
        while name in self.schemas and self.schemas[name] != entry:
            count += 1
            name = f"{start}.{count}"
            entry = self._entry(name, schema)
        self.schemas[name] = entry
        return _ref("components", "schemas", name)

    def _entry(self, name: str, schema: Schema) -> dict[str, Json]:
        return {
            "schemaFormat": f"application/schema+json;version=draft-{_FORMATS[dialect_of(schema)]}",
            "schema": embedded(schema, fragment("#", "components", "schemas", name, "schema")),
        }


def _about(published: ReleaseEntry) -> dict[str, Any]:
    contract, release = published.contract, published.release
    return {
        **({"description": contract.description} if contract.description else {}),
        "x-module": contract.module,
        "x-version": contract.version,
        "x-contract-digest": release.digest,
        "x-state": release.state,
        "x-offered": published.offered,
        **({"x-prefers": contract.prefers} if contract.prefers else {}),
        "x-compatibility": contract.compatibility,
        "x-enforcement": contract.enforcement,
    }


def _server(url: str) -> dict[str, str]:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if scheme == "unix":
        host, slash, path = "localhost", "/", rest.lstrip("/")
    return {"host": host, "protocol": scheme, **({"pathname": f"/{path}"} if slash and path else {})}


def _ref(*steps: str) -> dict[str, str]:
    return {"$ref": fragment("#", *steps)}


def _name(text: str) -> str:
    return _FOREIGN.sub("_", text)


def _free(wanted: str, taken: dict[str, Any]) -> str:
    """A name that AsyncAPI allows, and that nothing has yet."""
    name, count = _name(wanted), 1
    while name in taken:
        count += 1
        name = f"{_name(wanted)}.{count}"
    return name

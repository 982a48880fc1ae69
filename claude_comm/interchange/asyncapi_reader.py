"""An AsyncAPI 2 or 3 document as contracts: one of the application, or one a module where the document says whose an
operation is (`x-module`, as our own documents do).

Law: what an application receives it accepts, and what it sends it produces. AsyncAPI 2 says it from the other side:
what others may `publish` to a channel is what the application receives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from claude_comm.errors import ConfigurationError
from claude_comm.interchange.gathering import SchemaSource, Translation
from claude_comm.interchange.imported import ContractDraft, Imported, Steps, name_of, version_of
from claude_comm.interchange.translations import json_schema, openapi_3_0
from claude_comm.names import TOPIC_PREFIX, check_target
from claude_comm.registry.contracts import COMPATIBILITIES, ENFORCEMENTS, Produced, Schema
from claude_comm.schema.dialect import Dialect

_JSON_SCHEMA = re.compile(r"application/schema\+(?:json|yaml);version=(?:draft-)?(2020-12|2019-09|0?7|0?6|0?4)")
_DIALECTS: dict[str, Dialect] = {
    "2020-12": "draft2020-12",
    "2019-09": "draft2019-09",
    "7": "draft7",
    "6": "draft6",
    "4": "draft4",
}


class _Said(msgspec.Struct, frozen=True):
    """One message in one direction: its type, the place of its payload, and where it goes or came from."""

    type: str
    payload: Steps
    schema_format: str
    target: str


def read(document: dict[str, Any]) -> list[Imported]:
    """The contracts, in the document's order. Raises ConfigurationError for a document without a usable message."""
    reader = _Reader(document)
    if str(document.get("asyncapi", "")).startswith("2."):
        reader.channels_of_2()
    else:
        reader.operations()
    if not reader.drafts:
        reader.draft({})
    return [draft.finished(reader.source.notes) for draft in reader.drafts.values()]


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self.source = SchemaSource(document)
        self.info = self.source.mapping("info")
        self.drafts: dict[tuple[str, str], ContractDraft] = {}

    def operations(self) -> None:
        """The operations of AsyncAPI 3."""
        for name in self._names(("operations",)):
            target = self.source.resolved(("operations", name))
            if target is None or not isinstance(target[0], dict):
                continue
            operation, at = target
            draft = self.draft(operation)
            if operation.get("action") == "receive":
                self._receive(draft, operation, at)
            elif operation.get("action") == "send":
                for said in self._messages(at):
                    self._produce(draft, said)
            else:
                self.source.note((*at, "action"), "an action is `send` or `receive`: the operation is left out.")

    def channels_of_2(self) -> None:
        """The channels of AsyncAPI 2."""
        draft = self.draft({})
        for name in self._names(("channels",)):
            target = self.source.resolved(("channels", name))
            if target is None:
                continue
            for said in self._messages_of_2((*target[1], "publish"), name):
                self._accept(draft, said)
            for said in self._messages_of_2((*target[1], "subscribe"), name):
                self._produce(draft, said)

    def draft(self, operation: dict[str, Any]) -> ContractDraft:
        """The contract that an operation is part of."""
        title = operation.get("x-module") or self.info.get("title")
        version = operation.get("x-version") or self.info.get("version")
        key = (name_of(title, "application"), str(version))
        if key not in self.drafts:
            draft = ContractDraft(key[0], version_of(version, self.source.notes, "#/info/version"))
            words = operation.get("description") if "x-module" in operation else self.info.get("description")
            draft.description = str(words or "")
            if operation.get("x-compatibility") in COMPATIBILITIES:
                draft.compatibility = operation["x-compatibility"]
            if operation.get("x-enforcement") in ENFORCEMENTS:
                draft.enforcement = operation["x-enforcement"]
            self.drafts[key] = draft
        return self.drafts[key]

    def _receive(self, draft: ContractDraft, operation: dict[str, Any], at: Steps) -> None:
        for said in self._messages(at):
            self._accept(draft, said)
            topic = said.target.removeprefix(TOPIC_PREFIX)
            if said.target.startswith(TOPIC_PREFIX) and "x-module" in operation and topic not in draft.topics:
                draft.topics.append(topic)
            if isinstance(aliases := operation.get("x-aliases"), dict):
                draft.aliases[said.type] = aliases
            if isinstance(passes := operation.get("x-passes"), list):
                draft.passes[said.type] = passes
            if isinstance(operation.get("reply"), dict):
                self._reply(draft, said.type, (*at, "reply"))

    def _reply(self, draft: ContractDraft, type: str, at: Steps) -> None:
        replies = list(self._messages(at))
        if len(replies) > 1:
            self.source.note((*at, "messages"), f"of {len(replies)} replies to {type!r} the first is taken.")
        if replies and (schema := self._schema(replies[0])) is not None:
            draft.replies[type] = schema

    def _accept(self, draft: ContractDraft, said: _Said) -> None:
        schema = self._schema(said)
        if schema is None:
            return
        if draft.accepts.setdefault(said.type, schema) != schema:
            self.source.note(said.payload, f"another schema of {said.type!r} came before: this one is left out.")

    def _produce(self, draft: ContractDraft, said: _Said) -> None:
        schema = self._schema(said)
        if schema is not None:
            produced = Produced(said.type, schema, said.target)
            if produced not in draft.produces:
                draft.produces.append(produced)

    def _messages(self, at: Steps) -> Iterator[_Said]:
        """The messages of an operation, or of its reply: those that it names, else all of its channel."""
        channel = self.source.resolved((*at, "channel"))
        target = _target(channel[0]) if channel is not None else ""
        listed = self.source.at((*at, "messages"))
        if isinstance(listed, list):
            places: list[Steps] = [(*at, "messages", index) for index in range(len(listed))]
        else:
            offered = (*channel[1], "messages") if channel is not None else ()
            places = [(*offered, name) for name in self._names(offered)] if offered else []
        for place in places:
            if (said := self._said(place, target)) is not None:
                yield said

    def _messages_of_2(self, at: Steps, channel: str) -> Iterator[_Said]:
        operation = self.source.at(at)
        if not isinstance(operation, dict) or "message" not in operation:
            return
        listed = self.source.at((*at, "message", "oneOf"))
        count = len(listed) if isinstance(listed, list) else 0
        places: list[Steps] = [(*at, "message", "oneOf", index) for index in range(count)] or [(*at, "message")]
        for place in places:
            said = self._said(place, "", str(operation.get("operationId") or channel), version_2=True)
            if said is not None:
                yield said

    def _said(self, place: Steps, target: str, otherwise: str = "", *, version_2: bool = False) -> _Said | None:
        resolved = self.source.resolved(place)
        if resolved is None or not isinstance(resolved[0], dict):
            return None
        message, here = resolved
        last = str(here[-1]) if not isinstance(here[-1], int) and here[-1] != "message" else otherwise
        type = name_of(message.get("name") or message.get("messageId") or last, "message")
        if "payload" not in message:
            self.source.note(here, "it has no payload, and is left out.")
            return None
        payload = self.source.resolved((*here, "payload"))
        if payload is None:
            return None
        wrapper = payload[0]
        if not version_2 and isinstance(wrapper, dict) and "schema" in wrapper and "schemaFormat" in wrapper:
            return _Said(type, (*payload[1], "schema"), str(wrapper["schemaFormat"]), target)
        return _Said(type, (*here, "payload"), str(message.get("schemaFormat", "")), target)

    def _schema(self, said: _Said) -> Schema | None:
        form = said.schema_format.replace(" ", "")
        translation: Translation = json_schema(self.source.note)
        if not form or form.startswith("application/vnd.aai.asyncapi"):
            return self.source.schema(said.payload, translation, "draft7")
        if form.startswith("application/vnd.oai.openapi"):
            return self.source.schema(said.payload, openapi_3_0("request", self.source.note))
        if (match := _JSON_SCHEMA.match(form)) is not None:
            return self.source.schema(said.payload, translation, _DIALECTS[match[1].lstrip("0")])
        self.source.note(said.payload, f"its schema is {said.schema_format}, which is no JSON Schema: it is left out.")
        return None

    def _names(self, at: Steps) -> list[str]:
        value = self.source.at(at)
        return list(value) if isinstance(value, dict) else []


def _target(channel: Any) -> str:
    """The module or topic that a channel's address names; empty for an address of another kind."""
    address = channel.get("address") if isinstance(channel, dict) else None
    try:
        return check_target(address) if isinstance(address, str) else ""
    except ConfigurationError:
        return ""

"""An OpenAPI 3.0 or 3.1 document as a contract: each operation is a type of message.

Law: the payload of an operation without parameters is its body. With parameters it is an object with a property for
each of them, and `body` for the body. The reply is what a success answers; several successes are alternatives. A
webhook is what the module sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from claude_comm.interchange.gathering import SchemaSource, Translation
from claude_comm.interchange.imported import ContractDraft, Imported, Steps, free_type, name_of, version_of
from claude_comm.interchange.translations import Direction, json_schema, openapi_3_0
from claude_comm.registry.contracts import Produced, Schema
from claude_comm.schema.verdict import Json

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_BODY = "body"


def read(document: dict[str, Any]) -> Imported:
    """The contract of an OpenAPI document. Raises ConfigurationError for one without a usable operation."""
    reader = _Reader(document)
    info = reader.source.mapping("info")
    draft = ContractDraft(name_of(info.get("title"), "service"), description=str(info.get("description") or ""))
    draft.version = version_of(info.get("version"), reader.source.notes, "#/info/version")
    for at, name in reader.operations("paths"):
        reader.accept(draft, at, name)
    for at, name in reader.operations("webhooks"):
        reader.produce(draft, at, name)
    return draft.finished(reader.source.notes)


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self.source = SchemaSource(document)
        self.is_3_0 = str(document.get("openapi", "")).startswith("3.0")

    def operations(self, part: str) -> Iterator[tuple[Steps, str]]:
        """The place of each operation, and what its messages are called."""
        items = self.source.at((part,))
        for path in items if isinstance(items, dict) else ():
            item = self.source.resolved((part, path))
            if item is None or not isinstance(item[0], dict):
                continue
            for method in _METHODS:
                operation = item[0].get(method)
                if isinstance(operation, dict):
                    derived = name_of(f"{method}_{str(path).strip('/').replace('/', '_')}", "operation")
                    yield (*item[1], method), name_of(operation.get("operationId"), derived)

    def accept(self, draft: ContractDraft, at: Steps, name: str) -> None:
        type = free_type(name, draft.accepts)
        operation = self.source.at(at)
        payload = self._payload(at)
        if payload is None:
            return
        draft.accepts[type] = payload
        if (reply := self._reply(at)) is not None:
            draft.replies[type] = reply
        if operation.get("callbacks"):
            self.source.note((*at, "callbacks"), "callbacks are not read: declare what is sent as `produces`.")

    def produce(self, draft: ContractDraft, at: Steps, name: str) -> None:
        if (payload := self._payload(at)) is not None:
            draft.produces.append(Produced(name, payload))

    def _payload(self, at: Steps) -> Schema | None:
        parameters = list(self._parameters(at))
        body = self._body(at)
        translation = self._translation("request")
        if body is not None and not parameters and body[1]:
            return self.source.schema(body[0], translation)
        return self.source.composed(at, translation, lambda part: _composed(parameters, body, part))

    def _parameters(self, at: Steps) -> Iterator[tuple[str, Steps, bool]]:
        """Each parameter's name, the place of its schema, and whether it is required; an operation's own count before
        those of its path."""
        parameters: dict[tuple[str, str], tuple[dict[str, Any], Steps]] = {}
        for holder in (at[:-1], at):
            listed = self.source.at((*holder, "parameters"))
            for index in range(len(listed) if isinstance(listed, list) else 0):
                resolved = self.source.resolved((*holder, "parameters", index))
                if resolved is not None and isinstance(resolved[0], dict):
                    parameters[str(resolved[0].get("name")), str(resolved[0].get("in"))] = resolved
        taken: dict[str, None] = {_BODY: None}
        for (name, place), (parameter, here) in parameters.items():
            schema = (*here, "schema") if "schema" in parameter else self._json_content(here)
            if schema is None:
                self.source.note(here, f"the parameter {name!r} has no JSON Schema, and is left out.")
                continue
            called = name if name not in taken else f"{place}.{name}"
            if called != name:
                self.source.note(here, f"another one is called {name!r}: here it is {called!r}.")
            taken[called] = None
            yield called, schema, parameter.get("required") is True

    def _body(self, at: Steps) -> tuple[Steps, bool] | None:
        """The place of the schema of the body, and whether there has to be one."""
        if "requestBody" not in self.source.at(at):
            return None
        body = self.source.resolved((*at, "requestBody"))
        if body is None or not isinstance(body[0], dict):
            return None
        place = self._json_content(body[1])
        if place is None:
            self.source.note(body[1], "its body has no JSON: nothing is declared of it.")
            return None
        # A webhook's and a message's body is there; of a request's it is said.
        return place, body[0].get("required") is True

    def _json_content(self, at: Steps) -> Steps | None:
        """The place of the schema of what is JSON there; other media types are noted."""
        content = self.source.at((*at, "content"))
        chosen = None
        for media in content if isinstance(content, dict) else ():
            kind = str(media).partition(";")[0].strip().lower()
            if kind not in ("application/json", "*/*", "application/*") and not kind.endswith("+json"):
                self.source.note((*at, "content", media), "it is not JSON, and is not read.")
            elif chosen is None and isinstance(content[media], dict) and "schema" in content[media]:
                chosen = (*at, "content", media, "schema")
        return chosen

    def _reply(self, at: Steps) -> Schema | None:
        responses = self.source.at((*at, "responses"))
        named = list(responses) if isinstance(responses, dict) else []
        successes = [name for name in named if str(name).startswith("2")] or [
            name for name in named if name == "default"
        ]
        places: list[Steps | None] = []
        for name in successes:
            response = self.source.resolved((*at, "responses", name))
            if response is not None and isinstance(response[0], dict):
                places.append(self._json_content(response[1]))
        if not places:
            return None
        translation = self._translation("response")
        if len(places) == 1 and places[0] is not None:
            return self.source.schema(places[0], translation)
        return self.source.composed(
            (*at, "responses"), translation, lambda part: _any_of([_or_null(place, part) for place in places])
        )

    def _translation(self, direction: Direction) -> Translation:
        return openapi_3_0(direction, self.source.note) if self.is_3_0 else json_schema(self.source.note)


def _composed(
    parameters: list[tuple[str, Steps, bool]], body: tuple[Steps, bool] | None, part: Callable[[Steps], Json]
) -> Json:
    """An object of the parameters and the body; without parameters, the body or null."""
    if not parameters and body is not None:
        return _any_of([part(body[0]), {"type": "null"}])
    members = [*parameters, *([(_BODY, *body)] if body is not None else [])]
    whole: dict[str, Json] = {"type": "object", "properties": {name: part(place) for name, place, _ in members}}
    if required := [name for name, _, is_required in members if is_required]:
        whole["required"] = required
    return whole


def _or_null(place: Steps | None, part: Callable[[Steps], Json]) -> Json:
    return {"type": "null"} if place is None else part(place)


def _any_of(schemas: list[Json]) -> Json:
    distinct = [schema for at, schema in enumerate(schemas) if schema not in schemas[:at]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}

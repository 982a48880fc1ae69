"""Sending a message by a form that is made from the contract of its target."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from claude_comm.client.publisher.publisher import Publisher
from claude_comm.delivery.acceptance import require_accepted
from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.gateway.dashboard.views.contracts import kind
from claude_comm.names import check_name
from claude_comm.ops import registry
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.bounded import check
from claude_comm.schema.verdict import Incompatible

Input = Literal["text", "number", "integer", "boolean", "choice", "json"]
# More properties than this are written as JSON.
MAX_FIELDS = 40
FIELD = "field."


class Field(msgspec.Struct, frozen=True):
    """One property of the message: how it is entered, what it says now, and whether it has to be there."""

    name: str
    kind: str
    input: Input
    required: bool
    choices: list[str]
    value: str
    description: str


class SendForm(msgspec.Struct, frozen=True):
    """The form as it is filled in. Where the contract has no properties to ask for, `fields` is empty and the message
    is written as JSON. `sent` is the id of a message that was sent."""

    target: str
    type: str
    source: str
    session: str
    targets: list[str]
    types: list[str]
    fields: list[Field]
    text: str
    trouble: str = ""
    sent: str = ""


def form(system: System, query: PageAddress) -> SendForm:
    """The form, filled with a smallest message of the contract."""
    target = query.text("target")
    targets = system.client.run(registry.names(system.keys))
    contract = system.client.run(registry.find(system.keys, check_name(target))) if target in targets else None
    types = sorted(contract.accepts) if contract else []
    type = query.text("type") if query.text("type") in types else (types[0] if types else query.text("type"))
    schema: Schema = contract.accepts.get(type, True) if contract else True
    example = _example(schema) if contract else {}
    # The person's own words come back where the form was refused.
    fields = [_field(name, held, schema, example, query) for name, held in _properties(schema)]
    return SendForm(
        target=target,
        type=type,
        source=query.text("source", "dashboard"),
        session=query.text("session"),
        targets=targets,
        types=types,
        fields=[] if query.flag("as_json") else fields,
        text=query.text("text") or _pretty(example),
        sent=query.text("sent"),
    )


def refused(system: System, query: PageAddress, error: ClaudeCommError) -> SendForm:
    """The form as it was, and why the message was not sent."""
    return msgspec.structs.replace(form(system, query), trouble=str(error), sent="")


def send(system: System, query: PageAddress) -> str:
    """Sends what the form holds; the id. Raises ConfigurationError, ContractBroken or what publishing raises."""
    target, type = query.text("target"), query.text("type") or "message"
    contract = system.client.run(registry.find(system.keys, check_name(target)))
    payload = _payload(query, contract, type)
    if contract is not None:
        require_accepted(contract, type, payload)
    with Publisher(query.text("source", "dashboard"), settings=system.settings, client=system.client) as publisher:
        return publisher.publish(target, payload, type=type, session=query.text("session"))


def _payload(query: PageAddress, contract: Contract | None, type: str) -> Any:
    schema = contract.accepts.get(type, True) if contract else True
    properties = _properties(schema)
    if query.flag("as_json") or not properties:
        return _json(query.text("text"), "the message")
    entered = {name: (query.text(FIELD + name), held, name in _required(schema)) for name, held in properties}
    return {
        name: _entered(name, text, held)
        for name, (text, held, required) in entered.items()
        if text or required or query.has(FIELD + name)
    }


def _entered(name: str, text: str, schema: Any) -> Any:
    input_ = _input(schema)
    if input_ == "text":
        return text
    if input_ == "choice":
        return next((value for value in schema["enum"] if _shown(value) == text), text)
    return _json(text, f"the property {name!r}")


def _json(text: str, what: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConfigurationError(
            f"{what} is no JSON ({error}): write a number, true, null, an object or a list."
        ) from None


def _field(name: str, held: Any, schema: Schema, example: Any, query: PageAddress) -> Field:
    given = query.text(FIELD + name)
    said = example.get(name) if isinstance(example, dict) else None
    value = given or ("" if said is None and name not in _required(schema) else _shown(said))
    choices = [_shown(value) for value in held["enum"]] if _input(held) == "choice" else []
    description = str(held.get("description", "")) if isinstance(held, dict) else ""
    return Field(name, kind(held), _input(held), name in _required(schema), choices, value, description)


def _input(schema: Any) -> Input:
    if not isinstance(schema, dict):
        return "json"
    if isinstance(schema.get("enum"), list):
        return "choice"
    given = schema.get("type")
    inputs: dict[Any, Input] = {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}
    return inputs.get(given, "json") if isinstance(given, str) else "json"


def _properties(schema: Schema) -> list[tuple[str, Any]]:
    """The properties to ask for: none for a schema that is no plain object, or a very wide one."""
    declared = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(declared, dict) or not 0 < len(declared) <= MAX_FIELDS:
        return []
    return [(str(name), held) for name, held in declared.items()]


def _required(schema: Schema) -> list[Any]:
    required = schema.get("required", []) if isinstance(schema, dict) else []
    return required if isinstance(required, list) else []


def _example(schema: Schema) -> Any:
    verdict = check(schema, False, policy="strict", budget_ms=500)
    return verdict.witness if isinstance(verdict, Incompatible) else {}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode(errors="replace")


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode(errors="replace")

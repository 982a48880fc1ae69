"""The schema objects of other formats as JSON Schema, one object at a time.

Law: what comes out accepts what the format's own words accept. What those words leave to a program (`discriminator`)
or to documentation (`xml`, `example`) is not asserted; what has no meaning in the format is left out and noted.

OpenAPI 3.0 has a dialect of its own: `nullable` for a type with null, `exclusiveMinimum` as a flag beside `minimum`,
nothing beside `$ref`, and `readOnly` properties that a request does not have to have. OpenAPI 3.1 and AsyncAPI 3 speak
JSON Schema; AsyncAPI 2 speaks draft 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from claude_comm.interchange.imported import Steps

Direction = Literal["request", "response"]
Noting = Callable[[Steps, str], None]

_OPENAPI_3_0 = frozenset(
    "title multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems "
    "uniqueItems maxProperties minProperties required enum type allOf oneOf anyOf not items properties "
    "additionalProperties description format default readOnly writeOnly deprecated".split()
)
# Of documentation, or handled apart.
_SILENT = frozenset(("xml", "externalDocs", "nullable", "example", "discriminator"))
_HIDDEN = {"request": "readOnly", "response": "writeOnly"}


def openapi_3_0(direction: Direction, note: Noting) -> Callable[[dict[str, Any], Steps], dict[str, Any]]:
    """The translation of the schema objects of OpenAPI 3.0 in what is sent that way."""

    def translated(schema: dict[str, Any], at: Steps) -> dict[str, Any]:
        if "$ref" in schema:
            return {"$ref": schema["$ref"]}
        kept: dict[str, Any] = {}
        for word, value in schema.items():
            if word in _OPENAPI_3_0 or word.startswith("x-"):
                kept[word] = value
            elif word not in _SILENT:
                note((*at, word), "OpenAPI 3.0 has no such keyword: it says nothing there, and is left out.")
        if "example" in schema:
            kept["examples"] = [schema["example"]]
        _say_discriminator(schema, at, note)
        for bound in ("Minimum", "Maximum"):
            _bound(kept, f"exclusive{bound}", bound.lower())
        if schema.get("nullable") is True:
            _nullable(kept, at, note)
        _without_hidden(kept, _HIDDEN[direction])
        if kept.get("format") == "byte":
            kept["contentEncoding"] = "base64"
        return kept

    return translated


def json_schema(note: Noting) -> Callable[[dict[str, Any], Steps], dict[str, Any]]:
    """The translation of formats that speak JSON Schema: what they add says nothing about what is accepted."""

    def translated(schema: dict[str, Any], at: Steps) -> dict[str, Any]:
        _say_discriminator(schema, at, note)
        return {word: value for word, value in schema.items() if word not in _SILENT}

    return translated


def _say_discriminator(schema: dict[str, Any], at: Steps, note: Noting) -> None:
    if "discriminator" in schema:
        note((*at, "discriminator"), "it is left out: which schema a value is of, the schemas themselves have to say.")


def _bound(schema: dict[str, Any], exclusive: str, inclusive: str) -> None:
    flag = schema.get(exclusive)
    if not isinstance(flag, bool):
        return
    del schema[exclusive]
    if flag and inclusive in schema:
        schema[exclusive] = schema.pop(inclusive)


def _nullable(schema: dict[str, Any], at: Steps, note: Noting) -> None:
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = [kind, "null"]
        return
    note((*at, "nullable"), "without a `type` beside it, it says nothing in OpenAPI 3.0: null is not accepted here.")


def _without_hidden(schema: dict[str, Any], hidden: str) -> None:
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and isinstance(required, list):
        left = [name for name in required if not _says(properties.get(name), hidden)]
        schema["required"] = left
        if not left:
            del schema["required"]


def _says(schema: Any, word: str) -> bool:
    return isinstance(schema, dict) and schema.get(word) is True

"""Twenty contracts as people write them: tagged unions, recursion, references, patterns, maps."""

from __future__ import annotations

from typing import Any


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


TEXT: dict[str, Any] = {"type": "string"}
INT: dict[str, Any] = {"type": "integer"}

CONTRACTS: dict[str, Any] = {
    "payment": {
        "oneOf": [
            _object("method number", method={"const": "card"}, number={"type": "string", "pattern": "^[0-9]{16}$"}),
            _object("method iban", method={"const": "transfer"}, iban={"type": "string", "minLength": 15}),
            _object("method", method={"const": "cash"}),
        ]
    },
    "event with references": {
        "oneOf": [{"$ref": "#/$defs/created"}, {"$ref": "#/$defs/deleted"}],
        "$defs": {
            "created": _object("type id at", type={"const": "created"}, id={"$ref": "#/$defs/id"}, at=INT),
            "deleted": _object("type id reason", type={"const": "deleted"}, id={"$ref": "#/$defs/id"}, reason=TEXT),
            "id": {"type": "string", "pattern": "^[a-z]{3}-[0-9]+$"},
        },
    },
    "shape, tags as enums": {
        "anyOf": [
            _object("kind radius", kind={"enum": ["circle"]}, radius={"type": "number", "exclusiveMinimum": 0}),
            _object("kind side", kind={"enum": ["square"]}, side={"type": "number", "exclusiveMinimum": 0}),
        ]
    },
    "tree of folders": {
        "$ref": "#/$defs/folder",
        "$defs": {"folder": _object("name", name=TEXT, folders={"type": "array", "items": {"$ref": "#/$defs/folder"}})},
    },
    "linked list": {
        "$ref": "#/$defs/link",
        "$defs": {"link": _object("value", value=INT, next={"anyOf": [{"$ref": "#/$defs/link"}, {"type": "null"}]})},
    },
    "condition of a query": {
        **_object("where", where={"$ref": "#/$defs/condition"}),
        "$defs": {
            "condition": {
                "anyOf": [
                    _object("field equals", field=TEXT, equals={"type": ["string", "number", "boolean"]}),
                    _object("all", all={"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1}),
                ]
            }
        },
    },
    "order": {
        **_object(
            "customer lines",
            customer={"$ref": "#/$defs/customer"},
            lines={"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 1},
        ),
        "$defs": {
            "customer": _object(
                "id", id={"type": "string", "format": "uuid"}, email={"type": "string", "format": "email"}
            ),
            "line": _object(
                "sku count", sku={"type": "string", "pattern": "^[A-Z0-9]{8}$"}, count={"type": "integer", "minimum": 1}
            ),
        },
    },
    "labels": {"type": "object", "additionalProperties": TEXT},
    "metrics by name": {
        **_object("at", at={"type": "string", "format": "date-time"}),
        "patternProperties": {"^m_[a-z]+$": {"type": "number"}},
        "additionalProperties": False,
    },
    "upsert": {
        "anyOf": [_object("id", id=INT, name=TEXT), _object("name", name=TEXT)],
    },
    "base and extension": {
        "allOf": [{"$ref": "#/$defs/base"}, _object("title", title=TEXT)],
        "$defs": {"base": _object("id", id=INT, tags={"type": "array", "items": TEXT, "uniqueItems": True})},
        "unevaluatedProperties": False,
    },
    "union within an extension": {
        "allOf": [
            _object("id", id=INT),
            {
                "oneOf": [
                    _object("state", state={"const": "open"}),
                    _object("state by", state={"const": "closed"}, by=TEXT),
                ]
            },
        ]
    },
    "conditional": {
        **_object("country", country={"enum": ["DE", "US"]}, zip=TEXT),
        "if": {"properties": {"country": {"const": "US"}}},
        "then": {"properties": {"zip": {"pattern": "^[0-9]{5}$"}}, "required": ["zip"]},
    },
    "paired fields": {
        **_object("", card=TEXT, expiry=TEXT, note=TEXT),
        "dependentRequired": {"card": ["expiry"]},
        "minProperties": 1,
    },
    "text alone": {"type": "string", "minLength": 1, "maxLength": 10_000},
    "list of points": {
        "type": "array",
        "items": {
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "number"}],
            "items": False,
            "minItems": 2,
        },
    },
    "object or nothing": {"type": ["object", "null"], "properties": {"reason": TEXT}},
    "draft 7 with definitions": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"amount": {"type": "number", "minimum": 0, "multipleOf": 0.01}},
        **_object(
            "amount", amount={"$ref": "#/definitions/amount"}, currency={"type": "string", "pattern": "^[A-Z]{3}$"}
        ),
    },
    "strict settings": {
        **_object(
            "retries", retries={"type": "integer", "minimum": 0, "maximum": 9}, mode={"enum": ["fast", "safe", None]}
        ),
        "additionalProperties": False,
    },
    "anchored": {
        **_object("home", home={"$ref": "#address"}, work={"$ref": "#address"}),
        "$defs": {"address": {"$anchor": "address", **_object("city", city=TEXT, street=TEXT)}},
    },
    "many branches": {
        "oneOf": [_object("op", op={"const": f"op{number}"}, **{f"arg{number}": INT}) for number in range(12)],
    },
    "events of thirty kinds": {
        "oneOf": [{"$ref": f"#/$defs/Event{number}"} for number in range(30)],
        "$defs": {
            "Tag": {"type": "string", "pattern": "^[a-z]+$"},
            **{
                f"Event{number}": _object(
                    "kind id",
                    kind={"const": f"e{number}"},
                    id=INT,
                    tags={"type": "array", "items": {"$ref": "#/$defs/Tag"}},
                )
                for number in range(30)
            },
        },
    },
    "sum of sums": {
        "$ref": "#/$defs/sum",
        "$defs": {
            "sum": _object(
                "op left right", op={"enum": ["+", "-"]}, left={"$ref": "#/$defs/term"}, right={"$ref": "#/$defs/term"}
            ),
            "term": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/sum"}]},
        },
    },
    "names that a tool must not mix": _object(
        "id ID $id", id=INT, ID=TEXT, **{"$id": TEXT, "a.b": INT, "a/b": TEXT, "__proto__": INT}
    ),
    "anything but secrets": {
        **_object("path", path={"type": "string", "not": {"pattern": "secret"}}),
        "not": {"required": ["password"]},
    },
}

# How many tools a tagged union becomes.
TAGGED = {"payment": 3, "event with references": 2, "shape, tags as enums": 2, "many branches": 1}
# What recursion is cut from, and what is no object beside objects.
PARTIAL = {"sum of sums", "tree of folders", "linked list", "condition of a query", "object or nothing"}

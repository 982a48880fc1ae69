"""Descriptions of interfaces: a reference or the thing itself, and open forms that overlap."""

from __future__ import annotations

from tests.support.schemas.real.words import (
    EMAIL,
    Schema,
    array,
    document,
    either,
    flag,
    listed,
    maps,
    matching,
    one,
    record,
    ref,
    text,
    whole,
)


def interface() -> Schema:
    methods = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    extended = {"patternProperties": {"^x-": True}}

    def or_reference(name: str) -> Schema:
        return one(ref("reference"), ref(name))

    parameter = {
        **record(
            {
                "name": text(),
                "in": listed("query", "header", "path", "cookie"),
                "required": flag(),
                "schema": or_reference("schema"),
                "style": text(),
                "example": True,
                "examples": maps(True),
                "content": maps(ref("media")),
            },
            "name",
            "in",
            closed=True,
        ),
        **extended,
        "oneOf": [
            {"required": ["schema"], "not": {"required": ["content"]}},
            {"required": ["content"], "not": {"required": ["schema"]}},
        ],
    }
    schema = {
        **record(
            {
                **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), whole(minimum=0)),
                **{bound: {"type": "number"} for bound in ("minimum", "maximum")},
                "type": listed("array", "boolean", "integer", "number", "object", "string"),
                "required": array(text(), minItems=1, uniqueItems=True),
                "enum": {"type": "array", "minItems": 1},
                "items": or_reference("schema"),
                "properties": maps(or_reference("schema")),
                "additionalProperties": either({"type": "boolean"}, or_reference("schema")),
                "allOf": array(or_reference("schema")),
                "oneOf": array(or_reference("schema")),
                "not": or_reference("schema"),
                "nullable": flag(),
                "format": text(),
            },
            closed=True,
        ),
        **extended,
    }
    operation = {
        **record(
            {
                "tags": array(text()),
                "summary": text(),
                "operationId": text(),
                "parameters": array(or_reference("parameter"), uniqueItems=True),
                "requestBody": or_reference("body"),
                "responses": ref("responses"),
                "security": array(maps(array(text()))),
            },
            "responses",
            closed=True,
        ),
        **extended,
    }
    return document(
        {
            **record(
                {
                    "openapi": matching(r"^3\.0\.\d(-.+)?$"),
                    "info": ref("info"),
                    "paths": ref("paths"),
                    "servers": array(record({"url": text()}, "url")),
                    "components": record(
                        {
                            name: maps(or_reference(kind), "^[a-zA-Z0-9._-]+$")
                            for name, kind in {
                                "schemas": "schema",
                                "parameters": "parameter",
                                "requestBodies": "body",
                                "responses": "response",
                            }.items()
                        }
                    ),
                },
                "openapi",
                "info",
                "paths",
                closed=True,
            ),
            **extended,
        },
        {
            "reference": {"type": "object", "required": ["$ref"], "patternProperties": {r"^\$ref$": text()}},
            "info": {
                **record(
                    {"title": text(), "version": text(), "contact": record({"email": text(format="email")})},
                    "title",
                    "version",
                ),
                **extended,
            },
            "paths": {
                "type": "object",
                "patternProperties": {"^/": ref("path"), "^x-": True},
                "additionalProperties": False,
            },
            "path": {
                **record({"$ref": text(), "parameters": array(or_reference("parameter"))}),
                "patternProperties": {f"^({'|'.join(methods)})$": ref("operation"), "^x-": True},
                "additionalProperties": False,
            },
            "operation": operation,
            "parameter": parameter,
            "schema": schema,
            "media": {**record({"schema": or_reference("schema"), "example": True}, closed=True), **extended},
            "body": record({"description": text(), "content": maps(ref("media")), "required": flag()}, "content"),
            "response": record(
                {"description": text(), "headers": maps(or_reference("parameter")), "content": maps(ref("media"))},
                "description",
            ),
            "responses": {
                "type": "object",
                "properties": {"default": or_reference("response")},
                "patternProperties": {r"^[1-5](\d\d|XX)$": or_reference("response"), "^x-": True},
                "minProperties": 1,
                "additionalProperties": False,
            },
        },
        "interface description",
    )


def pets() -> Schema:
    """Open forms that overlap, as interface descriptions have them."""
    animals = {
        "Cat": {"lives": whole(minimum=0, maximum=9), "indoor": flag()},
        "Dog": {"breed": text(), "bark": flag()},
        "Bird": {"wingspan": {"type": "number", "exclusiveMinimum": 0}},
        "Fish": {"water": listed("fresh", "salt")},
    }
    definitions = {
        name: {"allOf": [ref("Animal"), record(fields, next(iter(fields)))]} for name, fields in animals.items()
    }
    return document(
        record({"pet": one(*map(ref, animals)), "owner": ref("Owner"), "visits": array(ref("Visit"))}, "pet"),
        {
            "Animal": record(
                {"name": text(minLength=1), "born": text(format="date"), "parents": array(ref("Animal"))}, "name"
            ),
            "Owner": record(
                {"name": text(), "email": matching(EMAIL), "pets": array(either(*map(ref, animals)))}, "name"
            ),
            "Visit": record(
                {
                    "at": text(format="date-time"),
                    "findings": array(text()),
                    "next": either(ref("Visit"), {"type": "null"}),
                },
                "at",
            ),
            **definitions,
        },
        "animals",
    )


FAMILIES = [interface, pets]

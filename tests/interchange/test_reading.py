"""Contracts out of OpenAPI, AsyncAPI and MCP: what is accepted there is accepted here; what is not said is named."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.interchange import asyncapi
from claude_comm.interchange.imported import Imported
from claude_comm.interchange.reading import read
from claude_comm.names import Keys
from claude_comm.registry.contracts import Produced, Schema, contract
from tests.support.published import DRAFT_7, TREE, awkward, published


def the_one(document: Any) -> Imported:
    (imported,) = read(document, "a document")
    return imported


def takes(schema: Schema, *values: Any) -> list[bool]:
    validator = jsonschema_rs.validator_for(schema)
    return [validator.is_valid(value) for value in values]


def openapi(version: str, schema: Any, **further: Any) -> dict[str, Any]:
    """A document with one operation, whose body is of this schema."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    operation = {"operationId": "put", "requestBody": body, "responses": {}}
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1.0.0"},
        "paths": {"/": {"put": operation}},
        **further,
    }


DIALECT: list[tuple[str, Any, list[Any], list[bool]]] = [
    ("nullable", {"type": "string", "nullable": True}, [None, "a", 1], [True, True, False]),
    ("nullable in an enum", {"type": "string", "nullable": True, "enum": ["a"]}, [None, "a"], [False, True]),
    ("nullable without a type", {"enum": ["a"], "nullable": True}, [None, "a"], [False, True]),
    ("exclusive", {"type": "integer", "minimum": 3, "exclusiveMinimum": True}, [3, 4], [False, True]),
    ("inclusive", {"type": "integer", "maximum": 3, "exclusiveMaximum": False}, [3, 4], [True, False]),
    ("exclusive of nothing", {"type": "integer", "exclusiveMaximum": True}, [3], [True]),
    ("no such keyword", {"type": "string", "const": "a"}, ["b"], [True]),
    (
        "read only",
        {"type": "object", "required": ["id", "n"], "properties": {"id": {"readOnly": True}, "n": {}}},
        [{"n": 1}, {"id": 1}],
        [True, False],
    ),
    (
        "a reference alone",
        {"items": {"$ref": "#/components/schemas/text", "maxLength": 1}},
        [["ab"], [1]],
        [True, False],
    ),
    ("nothing but read only", {"required": ["id"], "properties": {"id": {"readOnly": True}}}, [{}], [True]),
    ("a discriminator", {"type": "string", "discriminator": {"propertyName": "a"}}, ["a", 1], [True, False]),
    ("bytes", {"type": "string", "format": "byte"}, ["aGk=", 1], [True, False]),
    ("beside a reference", {"$ref": "#/components/schemas/text", "maxLength": 1}, ["ab", 1], [True, False]),
]


@pytest.mark.parametrize(
    ("schema", "values", "expected"), [row[1:] for row in DIALECT], ids=[row[0] for row in DIALECT]
)
def test_the_dialect_of_openapi_3_0_becomes_json_schema(schema: Any, values: list[Any], expected: list[bool]) -> None:
    document = openapi("3.0.3", schema, components={"schemas": {"text": {"type": "string"}}})
    assert takes(the_one(document).contract.accepts["put"], *values) == expected


def test_openapi_3_1_is_taken_at_its_word() -> None:
    document = openapi(
        "3.1.0",
        {"$ref": "#/components/schemas/Tree"},
        components={
            "schemas": {"Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}, "maxItems": 2}}
        },
        webhooks={"grown": {"post": {"requestBody": {"content": {"application/json": {"schema": {"const": 1}}}}}}},
    )
    imported = the_one(document)
    assert takes(imported.contract.accepts["put"], [[], [[]]], [[], [1]], [1]) == [True, False, False]
    assert [sent.type for sent in imported.contract.produces] == ["post_grown"]
    assert imported.notes == []


def test_parameters_and_a_body_are_properties_of_one_message() -> None:
    document = openapi("3.0.3", {"type": "string"})
    item = document["paths"].pop("/")
    item["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]
    item["put"]["parameters"] = [
        {"name": "id", "in": "query", "schema": {"type": "boolean"}},
        {"name": "when", "in": "query", "content": {"text/plain": {}}},
    ]
    item["put"]["responses"] = {
        "200": {"content": {"application/json": {"schema": {"type": "array"}}}},
        "204": {},
        "404": {},
    }
    document["paths"]["/x/{id}"] = item
    imported = the_one(document)
    accepted = imported.contract.accepts["put"]
    whole = {"id": 1, "query.id": True, "body": "t"}
    assert takes(accepted, whole, {**whole, "id": "1"}, {"id": 1}, {"body": "t"}) == [True, False, False, False]
    assert takes(imported.contract.replies["put"], [], None, "t") == [True, True, False]
    assert len(imported.notes) == 3


def test_a_schema_that_leads_out_of_the_document_is_left_out_and_said() -> None:
    document = openapi("3.1.0", {"type": "string"})
    document["paths"]["/far"] = {
        "post": {"operationId": "far", **_body({"items": {"$ref": "https://e.example/s.json"}})}
    }
    document["paths"]["/lost"] = {"post": {"operationId": "lost", **_body({"$ref": "#/components/schemas/none"})}}
    imported = the_one(document)
    assert list(imported.contract.accepts) == ["put"]
    said = "\n".join(f"{note.path}: {note.sentence}" for note in imported.notes)
    assert "another document, which is not read" in said
    assert "leads nowhere" in said
    with pytest.raises(ConfigurationError, match="another document"):
        read(openapi("3.1.0", {"$ref": "other.json"}), "a document")


def test_what_openapi_does_not_say_of_json_is_noted() -> None:
    lost, text = {"$ref": "#/components/none"}, {"content": {"text/plain": {}, "application/json": {}}}
    document = openapi("3.1.0", {"type": "string"}, webhooks={"rung": {"post": {"requestBody": lost}}})
    (put,) = document["paths"]["/"].values()
    put |= {"callbacks": {"later": {}}, "parameters": [lost], "responses": {"200": lost, "201": text}}
    document["paths"]["/text"] = {"post": {"operationId": "text", "requestBody": text, "responses": {}}}
    document["paths"]["/lost"] = {"post": {"operationId": "lost", "requestBody": lost, "responses": {}}}
    body = put["requestBody"]["content"]
    body["application/x+json"] = {"schema": {"type": "integer"}}
    imported = the_one(document)
    assert takes(imported.contract.accepts["put"], "the first that is JSON", 1) == [True, False]
    said = "\n".join(f"{note.path}: {note.sentence}" for note in imported.notes)
    for part in ("callbacks are not read", "no JSON: nothing is declared", "leads nowhere"):
        assert part in said


def test_references_are_gathered_once_and_two_of_one_name_apart() -> None:
    schemas = {"x": {"type": "integer"}, "own": {"$id": "urn:own", "items": {"$ref": "#"}}}
    parts = ("schemas/x", "schemas/x", "parameters/x", "schemas/own")
    items = [{"$ref": f"#/components/{part}"} for part in parts]
    document = openapi(
        "3.1.0", {"prefixItems": items}, components={"schemas": schemas, "parameters": {"x": {"const": "a"}}}
    )
    accepted = the_one(document).contract.accepts["put"]
    assert list(accepted["$defs"]) == ["x", "x.2", "own"]
    assert takes(accepted, [1, 2, "a", [[]]], [1, 2, "b"], ["1"]) == [True, False, False]


def test_asyncapi_2_says_it_from_the_other_side() -> None:
    message = {"name": "order", "payload": {"type": "object", "properties": {"n": {"$ref": "#/components/schemas/n"}}}}
    document = {
        "asyncapi": "2.6.0",
        "info": {"title": "Order Desk", "version": "second"},
        "channels": {
            "orders": {"publish": {"message": {"$ref": "#/components/messages/order"}}},
            "bills/{id}": {
                "subscribe": {
                    "message": {
                        "oneOf": [
                            {"name": "bill", "payload": {"type": "integer"}},
                            {
                                "name": "avro",
                                "schemaFormat": "application/vnd.apache.avro;version=1.9.0",
                                "payload": {},
                            },
                        ]
                    }
                }
            },
        },
        "components": {"messages": {"order": message}, "schemas": {"n": {"type": "integer", "examples": [1]}}},
    }
    imported = the_one(document)
    assert (imported.contract.module, imported.contract.version) == ("Order-Desk", "1.0.0")
    assert takes(imported.contract.accepts["order"], {"n": 1}, {"n": "1"}) == [True, False]
    assert [sent.type for sent in imported.contract.produces] == ["bill"]
    said = "\n".join(note.sentence for note in imported.notes)
    assert "no semantic version" in said
    assert "avro" in said


def test_what_asyncapi_cannot_say_here_is_noted_and_the_rest_is_read() -> None:
    text, lost = {"payload": {"type": "string"}}, {"$ref": "#/components/none"}
    openapi_schema = {
        "schemaFormat": "application/vnd.oai.openapi;version=3.0.0",
        "schema": {"type": "string", "nullable": True},
    }
    avro = {"schemaFormat": "application/vnd.apache.avro", "schema": {}}
    messages = {
        "text": text, "old": {"payload": openapi_schema}, "again": {"name": "text", "payload": {"type": "integer"}},
        "avro": {"payload": avro}, "none": {}, "lost": lost, "seven": {"payload": 7}, "gone": {"payload": lost},
    }  # fmt: skip
    channel = {"$ref": "#/channels/c"}
    document = {
        "asyncapi": "3.0.0",
        "channels": {"c": {"messages": messages}, "d": {"messages": {"text": text}}, "e": {"messages": {"none": {}}}},
        "operations": {
            "in": {"action": "receive", "channel": channel, "reply": {"channel": channel}},
            "in_d": {
                "action": "receive",
                "channel": {"$ref": "#/channels/d"},
                "reply": {"channel": {"$ref": "#/channels/e"}},
            },
            "out": {"action": "send", "channel": channel},
            "out_again": {"action": "send", "channel": channel},
            "lost": lost,
        },
    }
    imported = the_one(document)
    assert list(imported.contract.accepts) == ["text", "old"]
    assert takes(imported.contract.accepts["old"], "a", None, 1) == [True, True, False]
    assert [sent.type for sent in imported.contract.produces] == ["text", "old", "text"]
    said = [note.sentence for note in imported.notes]
    parts = (
        "it has no payload",
        "leads nowhere",
        "no JSON Schema",
        "is no schema",
        "another schema of 'text'",
        "of 5 replies",
    )
    for part in parts:
        assert any(part in sentence for sentence in said), (part, said)
    assert len(set(imported.notes)) == len(imported.notes)


def test_what_we_write_as_asyncapi_is_read_back_as_the_same_contract() -> None:
    declared = contract(
        "sink",
        version="2.1.0",
        accepts={
            "tree": {**TREE, "$id": "urn:t"},
            "plain": DRAFT_7,
            "odd": {"properties": {"a~b/c": {"$ref": "#/$defs/x%20y"}}, "$defs": {"x y": {"type": "string"}}},
        },
        replies={"plain": {"type": "integer"}},
        produces=[
            Produced("done", {"type": "integer"}, "topic:news"),
            Produced("any", True),
            Produced("to", {}, "other"),
        ],
        topics=["b", "a"],
        aliases={"plain": {"a": ["b"]}},
        passes={"tree": ["tag"]},
        compatibility="full",
        enforcement="warn",
    )
    whole = json.loads(msgspec.json.encode(asyncapi.document(Keys(), published(declared, awkward()))))
    ours, _ = (imported.contract for imported in read(whole, "a document"))
    assert (ours.compatibility, ours.enforcement) == ("full", "warn")
    for part in ("module", "version", "replies", "produces", "topics", "aliases", "passes"):
        assert getattr(ours, part) == getattr(declared, part), part
    assert {"plain": ours.accepts["plain"], "odd": ours.accepts["odd"]} == {
        "plain": declared.accepts["plain"],
        "odd": declared.accepts["odd"],
    }
    values: list[Any] = [
        {"tag": "t", "kids": [{"tag": 1}]},
        {"tag": "t", "kids": [{"tag": "u", "odd": 3}]},
        {"tag": "t", "odd": 4},
    ]
    assert takes(ours.accepts["tree"], *values) == takes(TREE, *values) == [False, True, False]


@pytest.mark.parametrize(
    "wrap", [lambda tools: tools, lambda tools: {"tools": tools}, lambda tools: {"result": {"tools": tools}}]
)
def test_each_mcp_tool_is_a_type_of_message(wrap: Any) -> None:
    tools = [
        {"name": "a/b", "description": "Adds.", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}},
        {
            "name": "a-b",
            "inputSchema": {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {}}},
        },
    ]
    imported = the_one(wrap(tools))
    assert list(imported.contract.accepts) == ["a-b", "a-b.2"]
    assert imported.contract.accepts["a-b"] == {"type": "object", "description": "Adds."}
    assert imported.contract.accepts["a-b.2"] == tools[1]["inputSchema"]
    assert list(imported.contract.replies) == ["a-b"]
    assert len(imported.notes) == 2


@pytest.mark.parametrize(
    "document", [{}, [], 3, {"swagger": "2.0"}, {"openapi": "4.0"}, {"asyncapi": 3}, {"tools": []}]
)
def test_another_format_is_refused_by_what_it_says(document: Any) -> None:
    with pytest.raises(ConfigurationError):
        read(document, "a document")


@pytest.mark.parametrize(
    "document",
    [
        {"openapi": "3.0.0", "paths": {"/": {"get": {"parameters": 3, "responses": []}, "parameters": {}}}, "info": []},
        {"openapi": "3.1.0", "paths": {"/": {"$ref": "#/paths/~1"}}},
        {
            "openapi": "3.1.0",
            "paths": {"/": {"get": {"requestBody": {"content": {"application/json": {"schema": 7}}}}}},
        },
        {"asyncapi": "3.0.0", "operations": {"a": {"action": "receive", "channel": {"$ref": "#/channels/x"}}}},
        {"asyncapi": "3.0.0", "operations": {"a": {"action": 3}}, "channels": []},
        {"asyncapi": "3.0.0"},
        {"asyncapi": "2.6.0", "channels": {"a": {"$ref": "#/channels/none"}}},
        {
            "asyncapi": "2.0.0",
            "channels": {"a": {"publish": {"message": {"payload": {"$ref": "#/channels/a/publish/message"}}}}},
        },
        {"tools": [{"inputSchema": {"$ref": "#/tools/0/inputSchema"}}, 3, {"inputSchema": {"type": "none"}}]},
    ],
)
def test_a_broken_document_is_refused_or_noted_and_never_a_traceback(document: Any) -> None:
    outcome = _outcome(document)
    assert outcome == "read" or "nothing in the document" in outcome


def _outcome(document: Any) -> str:
    try:
        read(document, "a document")
    except ConfigurationError as error:
        return str(error)
    return "read"


def _body(schema: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def test_what_is_sent_without_a_payload_is_no_message() -> None:
    ways = {"subscribe": {"message": {"oneOf": [{"name": "empty"}, {"name": "bill", "payload": {"type": "integer"}}]}}}
    document = {"asyncapi": "2.6.0", "info": {"title": "d", "version": "1.0.0"}, "channels": {"c": ways}}
    assert [sent.type for sent in the_one(document).contract.produces] == ["bill"]
    lost = {"content": {"application/json": {"schema": {"$ref": "elsewhere.json"}}}, "required": True}
    hooks = {"rung": {"post": {"requestBody": lost}}}
    assert the_one(openapi("3.1.0", {"type": "string"}, webhooks=hooks)).contract.produces == []


@pytest.mark.parametrize(("address", "target"), [("marker", "marker"), ("topic:news", "topic:news"), ("a/b c", "")])
def test_the_address_of_a_channel_is_a_target_where_it_is_the_name_of_one(address: str, target: str) -> None:
    channel = {"address": address, "messages": {"text": {"payload": {"type": "string"}}}}
    sending = {"out": {"action": "send", "channel": {"$ref": "#/channels/c"}}}
    imported = the_one({"asyncapi": "3.0.0", "channels": {"c": channel}, "operations": sending})
    assert [sent.target for sent in imported.contract.produces] == [target]

"""The AsyncAPI document: what it says, and that AsyncAPI's own schema and parser take it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from claude_comm.interchange import asyncapi
from claude_comm.names import Keys
from claude_comm.registry.contracts import contract
from claude_comm.schema.pointer import follow
from tests.support.published import TREE, awkward, npm, published

_PARSE = """
import { Parser } from "@asyncapi/parser";
import { readFileSync } from "node:fs";
const { diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify(diagnostics.filter(found => found.severity < 2)));
"""


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with AsyncAPI's parser, which the AsyncAPI command line validates with, and its published schemas."""
    directory = tmp_path_factory.mktemp("asyncapi")
    npm(directory, "@asyncapi/parser")
    (directory / "parse.mjs").write_text(_PARSE)
    return directory


def document(*contracts: Any, url: str = "") -> dict[str, Any]:
    whole = asyncapi.document(Keys("spaces"), published(*contracts), url=url)
    return json.loads(msgspec.json.encode(whole))


DOCUMENTS = {
    "awkward, in three versions": lambda: document(awkward(), awkward("1.0.0-build.7"), awkward("2.0.0", "integer")),
    "empty": document,
    "with a server": lambda: document(awkward(), url="redis://db.example:6379/2"),
    "names that meet": lambda: document(
        contract("a", accepts={"b.c": True}), contract("a.b", accepts={"c": False}), contract("a", accepts={"b.c": {}})
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("made", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_asyncapi_itself_takes_every_document(made: Any, parser: Path, tmp_path: Path) -> None:
    whole = made()
    schema = json.loads((parser / "node_modules/@asyncapi/specs/schemas/3.1.0.json").read_text())
    validator = jsonschema_rs.Draft7Validator(schema)
    assert not [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(whole)]
    assert not validator.is_valid({**whole, "channels": {"c": {"adress": None}}})

    (tmp_path / "document.json").write_text(json.dumps(whole))
    ran = subprocess.run(
        ["node", parser / "parse.mjs", tmp_path / "document.json"], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == []


@pytest.mark.long
def test_the_parser_refuses_a_reference_that_leads_nowhere(parser: Path, tmp_path: Path) -> None:
    whole = document(awkward())
    whole["channels"]["inbox.A-b.c"]["messages"]["lost"] = {"$ref": "#/components/messages/lost"}
    (tmp_path / "document.json").write_text(json.dumps(whole))
    ran = subprocess.run(
        ["node", parser / "parse.mjs", tmp_path / "document.json"], capture_output=True, text=True, check=True
    )
    assert "invalid-ref" in ran.stdout


def test_every_reference_leads_to_a_place_in_the_document() -> None:
    whole = document(awkward(), awkward("2.0.0", "integer"))
    references = list(_references(whole))
    assert len(references) > 30
    for reference in references:
        assert reference.startswith("#/")
        follow(whole, reference)


def test_a_schema_means_in_the_document_what_it_means_alone() -> None:
    whole = document(awkward())
    message = whole["components"]["messages"]["A-b.c.accepts.tree.1.0.0_build.7"]
    place = message["payload"]["$ref"] + "/schema"
    # As a tool reads it: references from the root of the document.
    there = jsonschema_rs.Draft202012Validator({"$ref": place, "components": whole["components"]})
    alone = jsonschema_rs.Draft202012Validator(TREE)
    values: list[Any] = [
        {"tag": "t", "kids": [{"tag": "u", "odd": 3}], "odd": {"$ref": "no reference"}, "$ref": 1},
        {"tag": "t", "odd": {"$ref": "another"}},
        {"tag": "t", "odd": [{"$ref": "nor this"}]},
        {"tag": "t", "odd": [{"$ref": "nor this"}, 1]},
        {"tag": 7},
        {"tag": "t", "kids": [{}]},
        {"tag": "t", "$ref": "text"},
        3,
    ]
    assert [there.is_valid(value) for value in values] == [alone.is_valid(value) for value in values]
    assert [alone.is_valid(value) for value in values] == [True, False, True, False, False, False, False, False]


def test_streams_groups_versions_and_digests_are_said() -> None:
    declared = awkward()
    whole = document(declared)
    inbox = whole["channels"]["inbox.A-b.c"]
    assert inbox["address"] == "A-b.c"
    assert (inbox["x-stream"], inbox["x-groups"]) == ("spaces:{m:A-b.c}:inbox", ["A-b.c"])
    assert inbox["x-dead-letters"] == "spaces:{m:A-b.c}:dead"
    topic = whole["channels"]["topic.news"]
    assert (topic["address"], topic["x-stream"]) == ("topic:news", "spaces:{t:news}:topic")
    assert topic["x-groups"] == ["A-b.c"]
    received = whole["operations"]["A-b.c.receive.tree"]
    assert received["x-contract-digest"] == declared.digest
    assert received["reply"]["channel"] == {"$ref": "#/channels/replies.A-b.c"}
    assert whole["operations"]["A-b.c.receive.x"]["x-aliases"] == {"a": ["b"]}
    schemas = whole["components"]["schemas"].values()
    assert {schema["schemaFormat"].partition(";")[2] for schema in schemas} == {
        "version=draft-2020-12",
        "version=draft-07",
    }


def test_a_message_of_one_name_in_two_modules_is_two_messages() -> None:
    whole = DOCUMENTS["names that meet"]()
    messages = whole["components"]["messages"]
    assert len(messages) == 3
    payloads = [follow(whole, message["payload"]["$ref"])["schema"] for message in messages.values()]
    assert payloads == [True, False, {}]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_a_server_is_named_by_its_host_or_by_its_socket() -> None:
    (named,) = document(awkward(), url="redis://db.example:6379/2")["servers"].values()
    assert (named["host"], named["protocol"], named["pathname"]) == ("db.example:6379", "redis", "/2")
    (socket,) = document(awkward(), url="unix:///tmp/s")["servers"].values()
    assert (socket["host"], socket["pathname"]) == ("localhost", "/tmp/s")

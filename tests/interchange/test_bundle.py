"""The bundle: every schema means in it what it means alone."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
from referencing.jsonschema import DRAFT202012

from claude_comm.interchange.bundle import bundle
from claude_comm.registry.contracts import Produced, contract
from tests.support.published import DRAFT_7, TREE, awkward


def valid(whole: dict[str, Any], name: str, value: Any) -> bool:
    definition = whole["$defs"][name]
    step = name.replace("~", "~0").replace("/", "~1").replace("+", "%2B")
    assert DRAFT202012.create_resource(whole).id() == whole["$id"]
    checked = {"$id": "urn:asked", "$ref": f"{whole['$id']}#/$defs/{step}", "$defs": {"whole": whole}}
    assert definition is not None
    return jsonschema_rs.Draft202012Validator(checked).is_valid(value)


def test_versions_of_a_schema_that_share_an_address_stay_apart() -> None:
    whole = bundle("spaces", [awkward(), awkward("2.0.0", "integer")])
    first, second = "A-b.c/1.0.0+build.7/accepts/tree", "A-b.c/2.0.0/accepts/tree"
    for value, expected in (({"tag": "t"}, (True, False)), ({"tag": 7}, (False, True))):
        assert (valid(whole, first, value), valid(whole, second, value)) == expected
        nested = {**value, "kids": [value]}
        assert (valid(whole, first, nested), valid(whole, second, nested)) == expected


def test_dialects_and_booleans_stay_what_they_are() -> None:
    whole = bundle("spaces", [awkward()])
    start = "A-b.c/1.0.0+build.7/accepts/"
    assert valid(whole, f"{start}x", {"a": None})
    assert not valid(whole, f"{start}x", {"a": "t"})
    assert whole["$defs"][f"{start}x"]["$schema"] == DRAFT_7["$schema"]
    assert whole["$defs"][f"{start}x.y"] is True


def test_the_same_schema_has_one_address_and_stands_once() -> None:
    plain = {"type": "object", "properties": {"a": {"type": "string"}}}
    modules = [
        contract("first", accepts={"m": plain}),
        contract("second", produces=[Produced("m", {**plain, "title": "the same"}, "first"), Produced("t", TREE)]),
    ]
    whole = bundle("spaces", modules)
    held = whole["$defs"]["first/1.0.0/accepts/m"]
    assert held["$id"].startswith("urn:claude-comm:schema:")
    assert whole["$defs"]["second/1.0.0/produces/m/first"] == {"$ref": held["$id"]}
    assert bundle("other", modules[:1])["$defs"]["first/1.0.0/accepts/m"]["$id"] == held["$id"]

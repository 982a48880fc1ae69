"""What a person sees in a schema at a glance: through references and compositions, as far as they are simple."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.schema.evolution.shallow_schema import KINDS, MAX_CHAIN, MAX_VISITS, shallow

TEXT, WHOLE, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
RECORD = {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False}
LIST = {"type": "array", "items": WHOLE}


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        (True, KINDS),
        (False, frozenset()),
        (TEXT, {"string"}),
        ({"type": ["string", "null"], "allOf": [{"type": ["string", "integer"]}]}, {"string"}),
        ({"anyOf": [False, TEXT]}, {"string"}),
        ({"oneOf": [NULL, TEXT]}, {"string", "null"}),
        ({"anyOf": [True, TEXT]}, KINDS),
        ({"$ref": "#/$defs/t", "$defs": {"t": TEXT}}, {"string"}),
        ({"$ref": "#/$defs/t", "type": ["string", "null"], "$defs": {"t": {"type": ["null", "array"]}}}, {"null"}),
    ],
)
def test_the_kinds_that_may_pass(schema: Any, kinds: Any) -> None:
    assert shallow(schema).kinds == kinds


@pytest.mark.parametrize(
    "schema",
    [
        RECORD,
        {"allOf": [RECORD]},
        {
            "allOf": [
                {"properties": {"a": TEXT}},
                {"required": ["a"]},
                {"additionalProperties": False},
                {"type": "object"},
            ]
        },
        {"anyOf": [NULL, RECORD]},
        {"anyOf": [RECORD, TEXT, LIST]},
        {"$ref": "#/$defs/r", "$defs": {"r": RECORD}},
    ],
)
def test_an_object_that_is_the_only_one_is_seen(schema: Any) -> None:
    seen = shallow(schema)
    assert "object" in seen.kinds
    assert {name: read().kinds for name, read in seen.properties.items()} == {"a": {"string"}}
    assert seen.required == {"a"}
    assert seen.closed


@pytest.mark.parametrize(
    "schema", [{"anyOf": [RECORD, RECORD]}, {"anyOf": [RECORD, True]}, {"anyOf": [NULL, TEXT]}, {"type": "object"}]
)
def test_of_several_objects_nothing_is_seen(schema: Any) -> None:
    seen = shallow(schema)
    assert (seen.properties, seen.required, seen.closed) == ({}, frozenset(), False)


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        (LIST, {"integer"}),
        ({"allOf": [LIST]}, {"integer"}),
        ({"allOf": [{"type": "array"}], "items": WHOLE}, {"integer"}),
        ({"items": WHOLE, "allOf": [{"items": TEXT}]}, {"integer"}),
        ({"anyOf": [NULL, LIST]}, {"integer"}),
        ({"anyOf": [LIST, NULL, TEXT]}, {"integer"}),
        ({"anyOf": [LIST, LIST]}, None),
        ({"type": "array"}, None),
    ],
)
def test_the_items_of_the_only_array_are_seen(schema: Any, kinds: Any) -> None:
    items = shallow(schema).items
    assert (None if items is None else items().kinds) == kinds


@pytest.mark.parametrize(
    ("schema", "default"),
    [
        ({"default": 1}, 1),
        ({"default": 1, "allOf": [{"default": 2}]}, 1),
        ({"allOf": [{}, {"default": 2}]}, 2),
        ({"default": None}, None),
        ({}, msgspec.UNSET),
        ({"anyOf": [{"default": 2}]}, msgspec.UNSET),
    ],
)
def test_a_default_is_the_one_that_is_declared_first(schema: Any, default: Any) -> None:
    assert shallow(schema).default == default


@pytest.mark.parametrize("composed", ["$ref", "allOf", "anyOf"])
@pytest.mark.parametrize(("links", "kinds"), [(MAX_CHAIN, {"string"}), (MAX_CHAIN + 1, KINDS)])
def test_a_chain_is_followed_so_far(composed: str, links: int, kinds: Any) -> None:
    schema: Any = TEXT
    if composed == "$ref":
        definitions: dict[str, Any] = {str(link): {"$ref": f"#/$defs/{link + 1}"} for link in range(1, links)}
        schema = {"$ref": "#/$defs/1", "$defs": {**definitions, str(links): TEXT}}
    else:
        for _ in range(links):
            schema = {composed: [schema]}
    assert shallow(schema).kinds == kinds
    inner = shallow({"properties": {"a": schema}, "$defs": schema.get("$defs", {})}).properties["a"]
    assert inner().kinds == kinds


@pytest.mark.parametrize(("parts", "kinds"), [(MAX_VISITS - 2, {"string"}), (MAX_VISITS - 1, KINDS)])
def test_so_many_places_are_looked_at(parts: int, kinds: Any) -> None:
    assert shallow({"allOf": [*[{}] * parts, TEXT]}).kinds == kinds

"""A normal form means what its schema means: references, identifiers and the keywords of older dialects."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.dialect import DEFAULT, URI, Dialect, dialect_of
from claude_comm.schema.limits import measure
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.validator import compile_validator, compiled

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
ROOT = "https://a.example/root"
SEVEN, NINE, FOUR = ({"$schema": URI[dialect]} for dialect in ("draft7", "draft2019-09", "draft4"))
META = "http://json-schema.org/draft-07/schema#"


def normal(schema: Any, *, measured: bool = False) -> Document:
    return normalise(schema, dialect_of(schema), measure(schema) if measured else None)


def fields(**properties: Any) -> Any:
    return {"properties": properties}


def to(reference: str) -> Any:
    return {"$ref": reference}


# A schema, a message that it allows and one that it refuses.
MEANINGS: list[tuple[Any, Any, Any]] = [
    # Definitions that are called alike.
    (
        {**fields(a=to("#/$defs/t"), b=to("#/definitions/t")), "$defs": {"t": TEXT}, "definitions": {"t": WHOLE}},
        {"a": "x", "b": 1},
        {"a": "x", "b": "x"},
    ),
    (
        {**fields(a=to("#/$defs/t"), b=to("#/definitions/t")), "$defs": {"t": TEXT}, "definitions": {"t": WHOLE}},
        {"a": "x"},
        {"a": 1},
    ),
    # Names that an address may hold as codes only.
    ({"$id": ROOT, **fields(a=to("#/$defs/größe")), "$defs": {"größe": TEXT}}, {"a": "x"}, {"a": 1}),
    ({**fields(a=to("#/$defs/größe")), "$defs": {"größe": TEXT}}, {"a": "x"}, {"a": 1}),
    ({**fields(a=to("größe")), "$defs": {"t": {"$id": "größe", **TEXT}}}, {"a": "x"}, {"a": 1}),
    ({"$id": "https://a.example/größe", **fields(a=to("größe#/$defs/t")), "$defs": {"t": TEXT}}, {"a": "x"}, {"a": 1}),
    # By the name of the document, given or not.
    ({"$id": ROOT, **fields(a=to("root#/$defs/t")), "$defs": {"t": TEXT}}, {"a": "x"}, {"a": 1}),
    ({**fields(a=to("json-schema:///#/$defs/t")), "$defs": {"t": TEXT}}, {"a": "x"}, {"a": 1}),
    ({**fields(a=to("#plain")), "$defs": {"t": {"$anchor": "plain", **TEXT}}}, {"a": "x"}, {"a": 1}),
    ({**fields(a=to("#/$defs/t")), "$defs": {"t": {"$anchor": "plain", **TEXT}}}, {"a": "x"}, {"a": 1}),
    # A schema with a name of its own is the root of its references.
    (
        {
            "$id": ROOT,
            **to("sub/"),
            "$defs": {
                "s": {"$id": "sub/", **fields(a=to("t"))},
                "t": {"$id": "sub/t", **TEXT},
                **{f"other {name}": {"$id": name, **WHOLE} for name in ("t", "sub/sub/t")},
            },
        },
        {"a": "x"},
        {"a": 1},
    ),
    (
        {
            "$id": "https://a.example/d/",
            **fields(a={"$id": "sub/", "allOf": [to("t"), {"$id": "sub/", **to("t")}]}),
            "$defs": {"t": {"$id": "t"}, "u": {"$id": "sub/t", **TEXT}, "v": {"$id": "sub/sub/t", "minLength": 2}},
        },
        {"a": "xx"},
        {"a": "x"},
    ),
    (
        {"$id": "sub/", **fields(a=to("t")), "$defs": {"t": {"$id": "t", **TEXT}, "w": {"$id": "sub/t", **WHOLE}}},
        {"a": "x"},
        {"a": 1},
    ),
    (
        {
            **fields(a=to("#/$defs/in/$defs/y")),
            "$defs": {"z": WHOLE, "in": {"$id": "sub/", "$defs": {"y": to("#/$defs/z"), "z": TEXT}}},
        },
        {"a": "x"},
        {"a": 1},
    ),
    # What an older dialect calls a name without an address changes no address.
    (
        {
            **SEVEN,
            **fields(a=to("#plain")),
            "definitions": {"p": {"$id": "#plain", "items": to("#/definitions/t")}, "t": TEXT},
        },
        {"a": ["x"]},
        {"a": [1]},
    ),
    # Beside a reference there is no name in draft 7.
    ({**SEVEN, "$id": "https://a.example/", **to("#/definitions/t"), "definitions": {"t": TEXT}}, "x", 1),
    (
        {
            **SEVEN,
            "$id": "https://a.example/",
            **fields(a={"$id": "sub/", **to("t")}),
            "definitions": {"t": {"$id": "t", **TEXT}},
        },
        {"a": "x"},
        {"a": 1},
    ),
    ({**SEVEN, "$id": ROOT, **fields(a=to("root#/definitions/t")), "definitions": {"t": TEXT}}, {"a": "x"}, {"a": 1}),
    ({**FOUR, "id": ROOT, **fields(a=to("root#/definitions/t")), "definitions": {"t": TEXT}}, {"a": "x"}, {"a": 1}),
    # In a schema of schemas, its own root is meant.
    (
        {**SEVEN, **fields(s=to(META))},
        {"s": {"properties": {"a": {"type": "string"}}}},
        {"s": {"properties": {"a": {"type": 5}}}},
    ),
    (fields(a=to("#")), {"a": {"a": {}}, "b": 1}, None),
    # Two parts that hold together.
    ({"allOf": [{"required": ["a"]}], "$dynamicRef": "#/$defs/o", "$defs": {"o": fields(a=TEXT)}}, {"a": "x"}, {}),
    ({"allOf": [{"required": ["a"]}], "$dynamicRef": "#/$defs/o", "$defs": {"o": fields(a=TEXT)}}, {"a": ""}, {"a": 1}),
    # Keywords that have become others.
    ({**SEVEN, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, {"a": 1, "b": 2}, {"a": 1}),
    ({**SEVEN, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}}, {"c": 1, "d": 2}, {"c": 1}),
    ({**FOUR, "minimum": 3, "exclusiveMinimum": True}, 4, 3),
    ({**FOUR, "minimum": 3, "exclusiveMinimum": False}, 3, 2),
    ({**FOUR, "maximum": 3, "exclusiveMaximum": True}, 2, 3),
    ({**SEVEN, "items": [TEXT], "additionalItems": WHOLE}, ["x", 1], ["x", "x"]),
    ({**NINE, "items": [TEXT], "unevaluatedItems": False}, ["x"], ["x", 1]),
    ({"then": to("#/$defs/t"), "$defs": {"t": False}}, 1, None),
]


@pytest.mark.parametrize(("schema", "allowed", "refused"), MEANINGS)
@pytest.mark.parametrize("measured", [False, True])
def test_a_normal_form_means_what_its_schema_means(schema: Any, allowed: Any, refused: Any, measured: bool) -> None:
    """`None` as what is refused: there is nothing."""
    document = normal(schema, measured=measured)
    assert not document.opaque
    for allows in (compile_validator(schema).accepts, compiled(document.schema, DEFAULT).is_valid):
        assert allows(allowed)
        assert refused is None or not allows(refused)


FOREIGN = {"$id": "b", **SEVEN, "items": [TEXT]}
CONTAINED = {**NINE, "unevaluatedItems": False}


@pytest.mark.parametrize(
    ("schema", "is_opaque"),
    [
        ({"$id": ROOT, **fields(a=FOREIGN)}, True),
        ({"$id": ROOT, **fields(a=to("#/$defs/t")), "$defs": {"t": TEXT, "f": FOREIGN}}, True),
        ({"$id": ROOT, **fields(a={"$id": "b", "$schema": "https://example.com/own", **TEXT})}, True),
        ({"$id": ROOT, **fields(a={"$id": "b", "$schema": URI[DEFAULT], **TEXT})}, False),
        # Before 2020-12 `contains` evaluates no item.
        ({**CONTAINED, "allOf": [{"contains": TEXT}]}, True),
        ({**CONTAINED, "allOf": [{"minItems": 1}]}, False),
    ],
)
@pytest.mark.parametrize("measured", [False, True])
def test_what_has_no_exact_form_is_opaque(schema: Any, is_opaque: bool, measured: bool) -> None:
    assert normal(schema, measured=measured).opaque is is_opaque


def test_the_size_that_was_measured_is_kept_where_nothing_is_added() -> None:
    size = measure(TEXT)
    assert normalise(TEXT, DEFAULT, size).size is size
    older: Dialect = "draft7"
    assert normalise(TEXT, older, size).size is None


@pytest.mark.parametrize(
    ("schema", "origins"),
    [
        ({**to("#/$defs/a-b_c"), "$defs": {"a-b_c": TEXT}}, {"a-b_c": "/$defs/a-b_c"}),
        (fields(a=to("#")), {"root": ""}),
        ({**to("#/$defs/a b"), "$defs": {"a b": TEXT}}, {"a20b": "/$defs/a%20b"}),
        (
            {**fields(a=to("#/$defs/t"), b=to("#/properties/t"), t=TEXT), "$defs": {"t": TEXT}},
            {"t": "/$defs/t", "t.1": "/properties/t"},
        ),
    ],
)
def test_definitions_are_called_as_they_were_and_remember_their_place(schema: Any, origins: dict[str, str]) -> None:
    document = normal(schema)
    assert document.origins == origins
    assert document.definitions.keys() == origins.keys()


def test_in_draft_4_a_name_is_an_id_without_a_sign() -> None:
    schema = {"id": ROOT, **fields(a=to("root#/definitions/t")), "definitions": {"t": TEXT}}
    document = normalise(schema, "draft4", measure(schema))
    assert not document.opaque
    assert document.definitions == {"t": TEXT}


def test_what_code_decides_is_opaque_with_its_reason() -> None:
    document = normal({**TEXT, OPAQUE: "code decides"})
    assert document.opaque
    assert document.schema == {**TEXT, "allOf": [{"$opaque": "code decides"}]}

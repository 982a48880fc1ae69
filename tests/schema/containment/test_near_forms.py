"""The forms of a union that may have a value in common with a schema are found by their tag, and none is missed."""

from __future__ import annotations

import pytest

from claude_comm.schema.containment.outlines import apart
from claude_comm.schema.containment.residual import Walk
from claude_comm.schema.containment.unions import LOOKS_A_COMPARISON, AcceptedForms, any_of, one_of
from claude_comm.schema.verdict import Json


def tagged(value: Json, name: str = "op", **more: Json) -> Json:
    return {"type": "object", "required": [name], "properties": {name: {"const": value}}, **more}


def first(value: Json) -> Json:
    return {"type": "array", "minItems": 1, "prefixItems": [{"const": value}]}


UNIONS: dict[str, tuple[object, list[Json]]] = {
    "tagged": ("op", [tagged("+"), tagged("-"), tagged("*"), {"type": "null"}]),
    "one tag more often than the other": ("op", [tagged(1, "t"), tagged("+"), tagged("-")]),
    "tag not needed": ("op", [tagged("+", required=[]), tagged("-"), tagged("*")]),
    "tag of perhaps another kind": ("op", [tagged("+", type=["object", "null"]), tagged("-"), tagged("*")]),
    "arrays by their first item": (0, [first("a"), first("b"), {"type": "string"}]),
    "values": (-1, [{"const": "a"}, {"enum": ["b", "c"]}, {"const": 1}, {"type": "null"}]),
    "nothing": (None, [{"type": "string"}, {"type": "null"}, {}]),
    "none": (None, []),
}
SCHEMAS: list[Json] = [
    *(form for _, forms in UNIONS.values() for form in forms),
    *(
        {"enum": ["a", "b"]},
        {"const": {"op": "+"}},
        {"type": "object"},
        {"type": "array"},
        True,
        False,
        first("z"),
        tagged("-", required=[]),
    ),
    {"type": "object", "required": ["op"], "properties": {"op": {"enum": ["+", "-"]}}},
]


@pytest.mark.parametrize("kind", UNIONS)
def test_no_form_that_may_be_met_is_missed(kind: str) -> None:
    tag, forms = UNIONS[kind]
    walk = Walk({}, {})
    accepted = AcceptedForms(walk, forms)
    assert accepted.tag == tag
    for schema in SCHEMAS:
        outline = walk.sent.of(schema)
        assert accepted.near(outline) == [
            at for at, form in enumerate(forms) if not apart(outline, walk.taken.of(form))
        ]


def test_forms_of_another_tag_cost_nothing() -> None:
    """Of a thousand forms one is looked at; where nothing tells them apart, looking at eight is a comparison."""
    walk = Walk({}, {})
    tags = AcceptedForms(walk, [tagged(number) for number in range(1_000)])
    before = walk.comparisons
    assert tags.near(walk.sent.of(tagged(7))) == [7]
    assert walk.comparisons == before
    kinds = AcceptedForms(walk, [{"minLength": 1}] * 80)
    kinds.near(walk.sent.of(True))
    assert before - walk.comparisons == 80 // LOOKS_A_COMPARISON


# A schema, the forms of a union, and whether each value is in one at least, and in exactly one.
TAKEN: list[tuple[dict[str, Json], list[Json], bool, bool]] = [
    ({"type": "null"}, [{"type": "null"}, {"type": "string"}], True, True),
    ({"type": "integer"}, [{"type": "number"}, {"type": "integer"}], True, False),
    ({"type": "boolean"}, [{"type": "null"}], False, False),
    ({"type": ["null", "string"]}, [{"type": "null"}, {"type": "string"}], True, True),
    ({"type": ["null"]}, [{"type": "null"}], True, True),
    ({"type": ["null", "boolean"]}, [{"type": "null"}, {"type": "string"}], False, False),
    ({"enum": ["a", 1]}, [{"type": "string"}, {"type": "number"}], True, True),
    ({"enum": ["a", None]}, [{"type": "string"}, {"type": "number"}], False, False),
    ({"enum": [*range(31), "a"]}, [{"type": "string"}, {"type": "number"}], True, True),
    ({"enum": [*range(32), "a"]}, [{"type": "string"}, {"type": "number"}], False, False),
    ({"anyOf": [tagged("+"), tagged("-")]}, [tagged("-"), tagged("+"), tagged("*")], True, True),
    ({"anyOf": [tagged("+"), tagged("/")]}, [tagged("-"), tagged("+")], False, False),
    ({"oneOf": [{"minLength": 1}, {"minItems": 1}]}, [{"minItems": 1}, {"minLength": 1}], True, True),
    ({"oneOf": [{"minLength": 1}, {"minItems": 1}]}, [{"minLength": 1}, {"minItems": 1}], True, True),
    (
        {"oneOf": [{"minLength": 1}, {"minItems": 1}]},
        [{"minLength": 1}, {"minLength": 1}, {"minItems": 1}],
        True,
        False,
    ),
    ({"oneOf": [{"minLength": 1}, {"minItems": 1}]}, [{"minLength": 1}, {"minItems": 1}, {"minItems": 1}], True, False),
    ({"anyOf": [{"minLength": 1}, {"minItems": 1}]}, [{"minLength": 1}, {"minItems": 1}], True, False),
    ({"oneOf": [{"minLength": 1}, {"minItems": 1}]}, [{"minItems": 1}, {"minLength": 1}, {"minimum": 1}], True, False),
]


@pytest.mark.parametrize(("schema", "forms", "some", "exactly"), TAKEN, ids=range(len(TAKEN)))
def test_each_value_is_in_one_form_or_in_exactly_one(
    schema: dict[str, Json], forms: list[Json], some: bool, exactly: bool
) -> None:
    walk = Walk({}, {})
    assert any_of(walk, schema, AcceptedForms(walk, forms)) is some
    assert one_of(walk, schema, AcceptedForms(walk, forms)) is exactly

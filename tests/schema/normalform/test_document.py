"""What is known of a normal form before any message is seen: its unfolded size, its patterns, what it can spare."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.limits import measure
from claude_comm.schema.normalform.document import MAX_UNFOLDED_DEPTH, Document, Unfolded
from claude_comm.schema.normalform.normalize import normalise

TEXT = {"type": "string"}


def document(schema: Any, *, measured: bool = False) -> Document:
    return normalise(schema, DEFAULT, measure(schema) if measured else None)


def nested(levels: int) -> Any:
    schema: Any = TEXT
    for _ in range(levels):
        schema = {"not": schema}
    return schema


# The values of each, counted by hand once a reference is what it stands for, and one level more than they have.
SIZES: list[tuple[Any, Unfolded | None]] = [
    ({}, Unfolded(1, 2)),
    (TEXT, Unfolded(2, 2)),
    ({"properties": {"a": TEXT}}, Unfolded(4, 4)),
    ({"minimum": 1, "properties": {"a": TEXT, "b": True}}, Unfolded(6, 4)),
    ({"not": nested(2), "properties": {}}, Unfolded(6, 5)),
    ({"enum": [1, [2]]}, Unfolded(5, 4)),
    ({"const": {"$ref": "#/$defs/a"}}, Unfolded(3, 3)),
    ({"$ref": "#/$defs/a", "$defs": {"a": TEXT, "unused": nested(9)}}, Unfolded(4, 3)),
    ({"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": TEXT}}, Unfolded(10, 5)),
    ({"$ref": "#/$defs/a", "$defs": {"a": True}}, Unfolded(3, 2)),
    ({"$ref": "#/$defs/a", "$defs": {"a": nested(2)}}, Unfolded(6, 5)),
    ({"$ref": "#/$defs/a", "not": nested(2), "$defs": {"a": TEXT}}, Unfolded(8, 5)),
    ({"$ref": "#"}, None),
    ({"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}, None),
    (nested(MAX_UNFOLDED_DEPTH - 1), Unfolded(MAX_UNFOLDED_DEPTH + 1, MAX_UNFOLDED_DEPTH + 1)),
    (nested(MAX_UNFOLDED_DEPTH), None),
    # Half of it in the definition, half above the reference.
    (
        {"not": {"not": {"$ref": "#/$defs/a"}}, "$defs": {"a": nested(MAX_UNFOLDED_DEPTH - 4)}},
        Unfolded(MAX_UNFOLDED_DEPTH + 2, MAX_UNFOLDED_DEPTH + 1),
    ),
    ({"not": {"not": {"$ref": "#/$defs/a"}}, "$defs": {"a": nested(MAX_UNFOLDED_DEPTH - 3)}}, None),
    (
        {
            "allOf": [{"$ref": "#/$defs/a"}, nested(9), {"not": {"not": {"$ref": "#/$defs/a"}}}],
            "$defs": {"a": nested(MAX_UNFOLDED_DEPTH - 5)},
        },
        None,
    ),
]


@pytest.mark.parametrize(("schema", "unfolded"), SIZES)
def test_the_size_of_a_schema_in_which_references_are_what_they_stand_for(
    schema: Any, unfolded: Unfolded | None
) -> None:
    assert document(schema).unfolded == unfolded


@pytest.mark.parametrize(("schema", "unfolded"), SIZES)
def test_a_size_that_was_measured_before_is_no_smaller(schema: Any, unfolded: Unfolded | None) -> None:
    known = document(schema, measured=True).unfolded
    if unfolded is None:
        assert known is None
    else:
        assert known is not None
        assert known.nodes >= unfolded.nodes
        assert unfolded.depth <= known.depth <= unfolded.depth + 1


@pytest.mark.parametrize(
    ("schema", "patterns"),
    [
        (TEXT, ()),
        ({"pattern": "a"}, ("a",)),
        ({"properties": {"x": {"patternProperties": {"b": {}, "c": True}}}, "not": {"pattern": "d"}}, "bcd"),
        ({"const": {"pattern": "a"}}, ()),
        ({"properties": {"pattern": TEXT}}, ()),
    ],
)
@pytest.mark.parametrize("measured", [False, True])
def test_the_patterns_of_a_schema(schema: Any, patterns: Any, measured: bool) -> None:
    known = document(schema, measured=measured)
    assert sorted(known.patterns) == sorted(patterns)
    assert known.may_have_patterns or not patterns
    assert document(schema).may_have_patterns == bool(patterns)


def test_without_the_keyword_there_is_no_pattern_to_look_for() -> None:
    assert document(TEXT, measured=True).may_have_patterns is False


def test_a_definition_is_what_a_reference_stands_for() -> None:
    assert document({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}).definition("#/$defs/a") == TEXT


WIDER = {"type": "string", "pattern": "b", "not": {"const": "ab"}, "maxLength": 9}


@pytest.mark.parametrize(
    ("schema", "spare"),
    [
        ({"pattern": "^a", "allOf": [WIDER, {"pattern": "c", "minimum": 3}]}, [{"pattern": "c", "minimum": 3}]),
        ({"pattern": "^a", "allOf": [True, WIDER]}, [True]),
        ({"pattern": "^a", "allOf": [WIDER]}, None),
    ],
)
@pytest.mark.parametrize("measured", [False, True])
def test_beside_a_pattern_wider_words_about_texts_are_spared(schema: Any, spare: Any, measured: bool) -> None:
    known = document(schema, measured=measured).spare
    assert known is not None
    assert known.schema == ({"pattern": "^a"} if spare is None else {"pattern": "^a", "allOf": spare})
    assert known.size is None


@pytest.mark.parametrize(
    "schema", [{"allOf": [TEXT]}, {"pattern": "^a", "minimum": 1}, {"allOf": [{"pattern": "a"}, {"pattern": "b"}]}]
)
@pytest.mark.parametrize("measured", [False, True])
def test_what_repeats_nothing_spares_nothing(schema: Any, measured: bool) -> None:
    assert document(schema, measured=measured).spare is None

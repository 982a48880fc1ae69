"""Differences in words, and each place before and after its change."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.dialect import dialect_of
from claude_comm.schema.evolution.compare import MAX_LISTED, Origins, SchemaEdit, differences
from claude_comm.schema.evolution.diff import diff
from claude_comm.schema.normalform.normalize import normalise

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}


def edits(old: Any, new: Any) -> list[SchemaEdit]:
    return list(differences(*(normalise(schema, dialect_of(schema)) for schema in (old, new))))


def fields(**properties: Any) -> Any:
    return {"properties": properties}


def tree(value: Any) -> Any:
    node = fields(v=value, kids={"items": {"$ref": "#/$defs/node"}})
    return {"$ref": "#/$defs/node", "$defs": {"node": node}}


def negated(schema: Any, **definitions: Any) -> Any:
    """Under `not` nothing is compared by place: both are written alike, or not."""
    return {"not": schema, "$defs": definitions} if definitions else {"not": schema}


def listed(count: int) -> Any:
    return {"enum": [0, *range(10, 10 + count)]}


@pytest.mark.parametrize(
    ("old", "new", "sentences"),
    [
        (fields(a=TEXT), {**fields(a=TEXT, b=WHOLE), "required": ["b"]}, ["`b` is new, and required"]),
        (fields(a=TEXT), fields(a=TEXT, b=WHOLE), ["`b` is new, and optional"]),
        (fields(a=TEXT), fields(a=TEXT, b=WHOLE, c=WHOLE), ["`b` is new, and optional", "`c` is new, and optional"]),
        ({**fields(a=TEXT), "required": ["a"]}, {}, ["`a`, which was required, is gone"]),
        (fields(a=TEXT), {}, ["`a`, which was optional, is gone"]),
        (fields(a=TEXT), {**fields(a=TEXT), "required": ["a"]}, ["`a` is required now"]),
        ({"required": ["a", "b"]}, {"required": ["b"]}, ["`a` is optional now"]),
        (TEXT, WHOLE, ['it is "integer" now, and was "string"']),
        (TEXT, True, ['it is true now, and was "string"']),
        (
            {"type": ["string", "null"]},
            {"type": ["integer", "null"]},
            ['`type` is ["integer", "null"] now, and was ["string", "null"]'],
        ),
        (WHOLE, NUMBER, ['`type` is "number" now, and was "integer"']),
        (NUMBER, {"type": ["integer", "string"]}, ['`type` is ["integer", "string"] now, and was "number"']),
        ({"minimum": 1}, {}, ["`minimum`, which was 1, is gone"]),
        ({}, {"minimum": 1}, ["`minimum` is new: 1"]),
        ({}, {"enum": [1]}, ["`enum` is new: [1]"]),
        ({"enum": [1]}, {}, ["`enum`, which was [1], is gone"]),
        ({"enum": [1, 2]}, {"enum": [2, 3]}, ["`enum` gained 3 and lost 1"]),
        (listed(0), listed(MAX_LISTED), ["`enum` gained 10, 11, 12, 13, 14, 15, 16, 17"]),
        (listed(0), listed(MAX_LISTED + 1), ["`enum` gained 10, 11, 12, 13, 14, 15, 16, 17 and 1 more"]),
        ({"anyOf": [TEXT]}, {"anyOf": [TEXT, WHOLE]}, ["`anyOf` has 2 schemas now, and had 1"]),
        ({"anyOf": [TEXT, WHOLE]}, {"anyOf": [TEXT]}, ["`anyOf` has 1 schema now, and had 2"]),
        ({}, {"anyOf": [TEXT]}, ['`anyOf` is new: [{"type": "string"}]']),
        # Each property is compared, whatever is new, gone or the same before it.
        (
            fields(a=TEXT, b=TEXT, c=TEXT, d={"minLength": 1}),
            fields(x=TEXT, a=TEXT, c=WHOLE, d={"minLength": 2}),
            [
                "`b`, which was optional, is gone",
                'it is "integer" now, and was "string"',
                "`minLength` is 2 now, and was 1",
                "`x` is new, and optional",
            ],
        ),
        # A place that one side alone describes by a schema.
        ({"items": TEXT}, {"items": False}, ['`items` is false now, and was {"type": "string"}']),
        ({"items": TEXT}, {}, ['`items`, which was {"type": "string"}, is gone']),
        ({}, {"additionalProperties": TEXT}, ['`additionalProperties` is new: {"type": "string"}']),
        ({"items": TEXT}, {"items": WHOLE}, ['it is "integer" now, and was "string"']),
        # A reference is what it stands for.
        ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, TEXT, []),
        (TEXT, {"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, []),
        (TEXT, {"$ref": "#/$defs/a", "$defs": {"a": {**TEXT, "minLength": 1}}}, ["`minLength` is new: 1"]),
    ],
)
def test_a_difference_is_said_in_words(old: Any, new: Any, sentences: list[str]) -> None:
    assert sorted(edit.sentence for edit in edits(old, new)) == sorted(sentences)


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        (negated({"minimum": 1, "maximum": 2}), negated({"minimum": 1, "maximum": 2}), True),
        (negated({"minimum": 1, "maximum": 2}), negated({"minimum": 1, "maximum": 3}), False),
        (negated({"minimum": 1}), negated({"minimum": 1, "maximum": 3}), False),
        (negated({"anyOf": [TEXT, WHOLE]}), negated({"anyOf": [TEXT, NUMBER]}), False),
        (negated({"anyOf": [TEXT]}), negated({"anyOf": [TEXT, WHOLE]}), False),
        (negated({"const": [1]}), negated({"const": {"a": 1}}), False),
        (negated({"const": [1]}), negated({"const": 5}), False),
        (negated({"const": 5}), negated({"const": [1]}), False),
        (negated({"const": True}), negated({"const": 1}), False),
        (negated({"const": 1.0}), negated({"const": 1}), True),
        (negated({"$ref": "#/$defs/a"}, a=TEXT), negated({"$ref": "#/$defs/b"}, b=TEXT), True),
        (negated({"$ref": "#/$defs/a"}, a=TEXT), negated({"$ref": "#/$defs/a"}, a=WHOLE), False),
        (negated({"$ref": "#/$defs/a"}, a=TEXT), negated(TEXT), False),
        (negated(TEXT), negated({"$ref": "#/$defs/a"}, a=TEXT), False),
        *(
            (
                negated({"$ref": "#/$defs/node"}, **tree(left)["$defs"]),
                negated({"$ref": "#/$defs/node"}, **tree(right)["$defs"]),
                left == right,
            )
            for left, right in ((WHOLE, WHOLE), (WHOLE, NUMBER))
        ),
    ],
)
def test_what_is_written_alike_is_the_same(old: Any, new: Any, is_same: bool) -> None:
    assert [edit.rule for edit in edits(old, new)] == ([] if is_same else ["not"])


def test_a_place_is_given_with_what_is_around_it_before_and_after() -> None:
    old = {**fields(a=TEXT), "additionalProperties": False}
    (edit,) = edits(old, {**fields(a=TEXT, b=WHOLE), "additionalProperties": False, "required": ["b"]})
    assert edit.before == old
    assert edit.after == {**fields(a=TEXT, b=WHOLE), "required": ["b"], "additionalProperties": False}
    (edit,) = edits({**fields(a=TEXT), "required": ["a"], "minProperties": 0}, {"minProperties": 0})
    assert edit.after == {"minProperties": 0}
    (edit,) = edits(TEXT, False)
    assert (edit.before, edit.after) == (TEXT, False)


def test_a_path_is_written_in_the_letters_of_its_names() -> None:
    (edit,) = edits(fields(**{"größe in m": TEXT}), fields(**{"größe in m": WHOLE}))
    assert edit.path == '$["größe in m"]'


def test_a_place_in_a_definition_is_told_as_it_was_written() -> None:
    seven = {"$schema": "http://json-schema.org/draft-07/schema#"}
    schema = {**seven, "items": {"$ref": "#/definitions/node"}, "definitions": {"node": WHOLE}}
    document = normalise(schema, dialect_of(schema))
    origins = Origins(document, document)
    for name in ("node", "new:node", "node.closed", "new:node.closed"):
        assert origins.in_pointer(f"/$defs/{name}/type") == "/definitions/node/type"
        assert origins.in_text(f'{{"$ref": "#/$defs/{name}"}}') == '{"$ref": "#/definitions/node"}'
    assert origins.in_pointer("/properties/$defs/node") == "/properties/$defs/node"


@pytest.mark.parametrize(("old", "new"), [({"type": "strnig"}, TEXT), (TEXT, {"type": "strnig"})])
def test_what_is_no_schema_is_refused_though_there_is_no_time_to_compare(old: Any, new: Any) -> None:
    seconds = itertools.chain([0.0], itertools.repeat(99.0))
    with pytest.raises(SchemaError):
        diff(old, new, clock=lambda: next(seconds))

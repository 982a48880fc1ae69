"""Schemas that are written alike, and the definitions for which that is enough."""

from __future__ import annotations

import pytest

from claude_comm.schema.containment.alike import alike, alike_definitions, bare, needed, references, unknown
from claude_comm.schema.verdict import Json


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("a", "a", True),
        ("a", "b", False),
        (1, 1, True),
        (1, True, False),
        (True, 1, False),
        (True, True, True),
        (1.0, 1, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"const": 1}, {"const": True}, False),
        ({"a": 1}, {"a": 2}, False),
        ([1, 2], [2, 1], False),
    ],
)
def test_alike_is_the_same_text_in_any_order_of_keys(left: Json, right: Json, same: bool) -> None:
    assert alike(left, right) is same


def refer(name: str) -> Json:
    return {"items": {"$ref": f"#/$defs/{name}"}}


def test_definitions_are_alike_with_all_that_they_refer_to() -> None:
    produced = {"A": refer("B"), "B": refer("C"), "C": {"const": 1}, "D": {"const": 2}, "E": refer("E"), "F": True}
    accepted = {**produced, "C": {"const": 3}, "G": True}
    assert alike_definitions(produced, produced) == produced.keys()
    assert alike_definitions(produced, accepted) == {"D", "E", "F"}
    del accepted["C"]
    assert alike_definitions(produced, accepted) == {"D", "E", "F"}


def test_what_is_unknown_is_alike_to_nothing() -> None:
    hidden: dict[str, Json] = {"A": {"$opaque": "x"}, "B": refer("A"), "C": True}
    assert [unknown(schema) for schema in hidden.values()] == [True, False, False]
    assert alike_definitions(hidden, hidden) == {"C"}


def test_a_schema_takes_along_what_it_refers_to() -> None:
    definitions: dict[str, Json] = {"A": refer("B"), "B": refer("A"), "C": True}
    assert references({"anyOf": [refer("A"), refer("C")]}) == {"A", "C"}
    assert references({"const": "$ref"}) == set()
    assert needed(refer("A"), definitions) == {"A": refer("B"), "B": refer("A")}
    assert needed(refer("Z"), definitions) == {}
    assert bare({"type": "null", "$defs": definitions}) == {"type": "null"}
    assert bare(True) is True

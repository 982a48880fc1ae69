"""Named types of one schema: where a definition is written out, where it is kept, and under which name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.types.definitions import Definitions
from claude_comm.schema.types.direction import of_64_bits, opaque

Schema = dict[str, Any]


def whole(types: dict[str, tuple[str, Callable[[Any], Schema]]], *used: str) -> Schema:
    """A tuple of types. `types` has for each its name and its schema, which is made with references to others."""
    definitions = Definitions()

    def refer(type_: str) -> Schema:
        name, schema = types[type_]
        return definitions.refer(type_, name, lambda: schema(refer))

    return definitions.whole({"prefixItems": [refer(type_) for type_ in used]})


def leaf(minimum: int) -> Callable[[Any], Schema]:
    return lambda _refer: {"minimum": minimum}


def test_what_is_used_once_is_written_in_its_place() -> None:
    assert whole({"a": ("A", leaf(1))}, "a") == {"prefixItems": [{"minimum": 1}]}


def test_what_is_used_twice_is_a_definition() -> None:
    reference = {"$ref": "#/$defs/A"}
    assert whole({"a": ("A", leaf(1))}, "a", "a") == {
        "prefixItems": [reference, reference],
        "$defs": {"A": {"minimum": 1}},
    }


def test_types_of_one_name_are_told_apart_by_a_number() -> None:
    types = {str(at): ("A", leaf(at)) for at in range(3)} | {"b": ("B", leaf(7))}
    schema = whole(types, *("0", "1", "2", "b") * 2)
    named = {"A": {"minimum": 0}, "A.2": {"minimum": 1}, "A.3": {"minimum": 2}, "B": {"minimum": 7}}
    assert schema["$defs"] == named
    assert [part["$ref"].rpartition("/")[2] for part in schema["prefixItems"]] == [*named] * 2


@pytest.mark.parametrize(
    ("given", "written"),
    [("A_1", "A_1"), ("Box[int]", "Box_int"), ("a.b", "a_b"), ("\u00e9", "\u00e9"), ("[]", "type"), ("", "type")],
)
def test_a_name_has_letters_and_numbers(given: str, written: str) -> None:
    assert [*whole({"a": (given, leaf(1))}, "a", "a")["$defs"]] == [written]


def test_what_holds_itself_stays_a_definition_by_whatever_way() -> None:
    types: dict[str, tuple[str, Callable[[Any], Schema]]] = {
        "self": ("Self", lambda refer: {"items": refer("self")}),
        "even": ("Even", lambda refer: {"items": refer("middle")}),
        "middle": ("Middle", lambda refer: {"not": refer("leaf"), "items": refer("odd")}),
        "odd": ("Odd", lambda refer: {"prefixItems": [refer("leaf"), refer("even")]}),
        "leaf": ("Leaf", leaf(1)),
        "once": ("Once", lambda refer: {"items": refer("end")}),
        "end": ("End", leaf(2)),
    }
    assert [*whole(types, "self")["$defs"]] == ["Self"]
    schema = whole(types, "even", "once")
    assert {*schema["$defs"]} == {"Even", "Middle", "Odd", "Leaf"}
    assert schema["prefixItems"][1] == {"items": {"minimum": 2}}
    assert whole(types, "once") == {"prefixItems": [{"items": {"minimum": 2}}]}


def test_code_stands_beside_a_reference_or_other_code_and_not_in_it() -> None:
    plain, reference, coded = {"minimum": 1}, {"$ref": "#/$defs/A"}, {OPAQUE: "other code"}
    assert opaque(plain, "f") == {**plain, OPAQUE: opaque({}, "f")[OPAQUE]}
    for schema in (reference, coded):
        assert opaque(schema, "f") == {"allOf": [schema], OPAQUE: opaque({}, "f")[OPAQUE]}


LEAST, MOST = {"minimum": -(2**63)}, {"maximum": 2**64 - 1}


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, {**LEAST, **MOST}),
        ({"minimum": -(2**63)}, MOST),
        ({"minimum": -(2**63) + 1}, MOST),
        ({"minimum": -(2**63) - 1}, {**LEAST, **MOST}),
        ({"exclusiveMinimum": 0}, MOST),
        ({"minimum": -(2**70), "exclusiveMinimum": 0}, MOST),
        ({"maximum": 2**64 - 1}, LEAST),
        ({"maximum": 2**64 - 2}, LEAST),
        ({"maximum": 2**64}, {**LEAST, **MOST}),
        ({"maximum": 5, "minimum": 1}, {}),
    ],
)
def test_an_integer_that_is_sent_has_64_bits(given: Schema, more: Schema) -> None:
    assert of_64_bits(given) == {**given, **more}

"""Definitions on both sides are compared once, also where they lead back to themselves."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.containment.alike import bare
from claude_comm.schema.containment.residual import Walk, residual
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json


def refer(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def linked(value: Json, following: str, **more: Json) -> dict[str, Any]:
    """A list of linked objects."""
    return {"type": "object", "properties": {"value": value, "next": refer(following)}, **more}


INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
# Two that lead to each other, of which the last one differs where it says so.
Definitions = dict[str, Json]
ROUND: Definitions = {"A": linked(INTEGER, "B"), "B": linked(TEXT, "A")}
WIDER: Definitions = {"A": linked(NUMBER, "B"), "B": linked(TEXT, "A")}
OTHER: Definitions = {"A": linked(NUMBER, "B"), "B": linked(INTEGER, "A")}

IMPLIED: list[tuple[Json, Definitions, Json, Definitions]] = [
    (refer("A"), ROUND, refer("A"), ROUND),
    (refer("A"), ROUND, refer("A"), WIDER),
    (refer("B"), ROUND, refer("B"), WIDER),
    (linked(INTEGER, "A"), ROUND, linked(NUMBER, "A"), WIDER),
    ({"items": refer("A"), "type": "array"}, ROUND, {"items": refer("A")}, WIDER),
    (refer("A"), {"A": refer("B"), "B": INTEGER}, refer("A"), {"A": NUMBER}),
    (INTEGER, {}, refer("A"), {"A": refer("B"), "B": NUMBER}),
    ({**refer("A"), "minimum": 1}, {"A": INTEGER}, {"minimum": 0, "type": "number"}, {}),
    ({"allOf": [refer("A"), {"minimum": 1}]}, {"A": INTEGER}, {"minimum": 0, "type": "number"}, {}),
    ({"prefixItems": [refer("A"), refer("A")]}, ROUND, {"prefixItems": [refer("A"), refer("A")]}, WIDER),
    (refer("Z"), {"Z": linked(INTEGER, "Z")}, refer("Y"), {"Y": linked(NUMBER, "Y")}),
]
NOT: list[tuple[Json, Definitions, Json, Definitions]] = [
    (refer("A"), WIDER, refer("A"), ROUND),
    (refer("A"), ROUND, refer("A"), OTHER),
    (refer("B"), ROUND, refer("B"), OTHER),
    ({"prefixItems": [refer("A"), refer("B")]}, ROUND, {"prefixItems": [refer("A"), refer("B")]}, OTHER),
    ({"prefixItems": [refer("A"), refer("A")]}, ROUND, {"prefixItems": [refer("A"), refer("A")]}, OTHER),
    ({"items": refer("A")}, {"A": INTEGER}, {"items": refer("A")}, {"A": TEXT}),
    (refer("A"), {"A": {"$opaque": "x"}}, refer("A"), {"A": {"$opaque": "x"}}),
    ({"items": {"$opaque": "x"}}, {}, {"items": {"$opaque": "x"}}, {}),
    (TEXT, {}, refer("A"), {"A": refer("B"), "B": NUMBER}),
    ({"allOf": [refer("A"), {"minimum": 1}]}, {"A": INTEGER}, {"minimum": 2, "type": "string"}, {}),
    (
        {"anyOf": [refer("A"), refer("A")]},
        ROUND,
        {"anyOf": [refer("A"), {"type": "null"}]},
        OTHER,
    ),
]


def document(schema: Json, definitions: Definitions, *, dynamic: bool = False) -> Document:
    assert isinstance(schema, dict)
    whole = {**schema, "$defs": definitions} if definitions else schema
    return Document(schema=whole, origins={}, opaque=False, lexical=False, dynamic=dynamic)


def implied(produced: Document, accepted: Document) -> bool:
    """The same, ended by the first thing that remains."""
    return Walk(produced.definitions, accepted.definitions).implied(bare(produced.schema), bare(accepted.schema))


@pytest.mark.parametrize(("left", "ours", "right", "theirs"), IMPLIED, ids=range(len(IMPLIED)))
def test_nothing_remains(left: Json, ours: Definitions, right: Json, theirs: Definitions) -> None:
    sides = document(left, ours), document(right, theirs)
    assert residual(*sides) is True
    assert implied(*sides) is True


@pytest.mark.parametrize(("left", "ours", "right", "theirs"), NOT, ids=range(len(NOT)))
def test_something_remains(left: Json, ours: Definitions, right: Json, theirs: Definitions) -> None:
    sides = document(left, ours), document(right, theirs)
    rest = residual(*sides)
    assert isinstance(rest, dict)
    assert rest.get("$defs", {}) == theirs
    assert implied(*sides) is False


def test_what_depends_on_the_path_that_led_to_it_is_not_compared() -> None:
    for ours, theirs in ((True, False), (False, True)):
        sides = document(INTEGER, {}, dynamic=ours), document(INTEGER, {}, dynamic=theirs)
        assert residual(*sides) == INTEGER


def test_what_needs_too_many_comparisons_remains_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = document({"items": INTEGER}, {}), document({"items": NUMBER}, {})
    assert residual(*sides) is True
    monkeypatch.setattr("claude_comm.schema.containment.residual.MAX_COMPARISONS", 1)
    assert residual(*sides) == sides[1].schema


def test_the_clock_is_looked_at_every_few_comparisons() -> None:
    looks: list[None] = []
    many = (
        {"prefixItems": [{"minimum": n} for n in range(200)]},
        {"prefixItems": [{"minimum": n - 1} for n in range(200)]},
    )
    assert residual(document(many[0], {}), document(many[1], {}), lambda: looks.append(None)) is True
    assert len(looks) in range(3, 20)

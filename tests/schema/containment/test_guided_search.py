"""Which messages the search proposes, in their order, and what it asks of a schema before it takes it apart."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.containment.guided_witness import MAX_FURTHER, MAX_ITEMS, GuidedSearch
from claude_comm.schema.containment.minimal_instance import NoMinimalInstance
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.verdict import Json

WHOLE, TEXT, NULL = {"type": "integer"}, {"type": "string"}, {"type": "null"}
FROM_3, NO_NAME = {"minimum": 3}, {"additionalProperties": False}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def search(definitions: dict[str, Any] | None = None, accepted: dict[str, Any] | None = None) -> GuidedSearch:
    """A search between these definitions of the two sides."""
    true = normalise(True, "draft2020-12")
    guided = GuidedSearch(true, true, Budget(60_000))
    guided.definitions, guided.accepted = definitions or {}, accepted or {}
    return guided


def proposed(guided: GuidedSearch, produced: Json, rest: Json, *, breaks: bool) -> list[Json]:
    """The messages where each of them is said to break the consumer, or none."""
    candidates, messages = guided.messages(produced, rest, 5), []
    try:
        message = next(candidates)
        while True:
            messages.append(message)
            message = candidates.send(breaks)
    except StopIteration:
        return messages


AB = {**obj(a=WHOLE, b=WHOLE), "required": ["a", "b"]}
LIST, TWO_FORMS = {"type": "array", "items": WHOLE}, {"anyOf": [obj(a=WHOLE), obj(a=TEXT)]}
MANY = obj(**dict.fromkeys("abcdefghijklmnop", WHOLE))
A0, B0, B = {"tag": "a", "v": 0}, {"tag": "b", "v": 0}, {"tag": "b"}


def tagged(tag: str, value: Json) -> Json:
    return {**obj(tag={"const": tag}, v=value), "required": ["tag"]}


def union(*forms: Json) -> Json:
    return {"anyOf": [*forms]}


def up_to(most: int) -> Json:
    return {"type": "integer", "maximum": most}


def from_(least: int) -> Json:
    return {"type": "integer", "minimum": least}


# A producer and what remains of the consumer: what is proposed where each message breaks it, and where none does, with
# what a proof comes upon then.
PROPOSED: list[tuple[Json, Json, list[Json], list[Json]]] = [
    (WHOLE, True, [], []),
    (WHOLE, {}, [], []),
    (True, False, [None], [None, None]),
    (WHOLE, FROM_3, [0], [0, 0]),
    # Each keyword that is broken by another value.
    (WHOLE, {"minimum": 3, "maximum": 5}, [0, 6], [0, 6, 0, 6]),
    ({"allOf": [WHOLE, {"minimum": 2}]}, {"maximum": 5}, [6], [6]),
    # What one value shows is not tried again.
    (WHOLE, {"minimum": 3, "exclusiveMinimum": 2, "maximum": 5}, [0, 6], []),
    ({"type": "object"}, {"minProperties": 1, "maxProperties": 2}, [{}, {"": None, "a": None, "aa": None}], []),
    # One difference a message: beside it stands what the consumer takes.
    (obj(a=WHOLE), {"properties": {"a": FROM_3}}, [{"a": 0}], [{"a": 0}, {"a": 0}]),
    (AB, {"properties": {"a": FROM_3}}, [{"a": 0, "b": 0}], [{"a": 0, "b": 0}] * 2),
    (
        AB,
        {"properties": {"a": FROM_3, "b": {"maximum": -1}}},
        [{"a": 0, "b": -1}, {"a": 3, "b": 0}],
        [{"a": 0, "b": -1}] * 2 + [{"a": 3, "b": 0}] * 2,
    ),
    ({**obj(a=WHOLE), "required": ["z"]}, {"properties": {"a": FROM_3}}, [{"a": 0, "z": None}], []),
    (
        {**obj(), "required": ["y", "z"]},
        {"properties": {"y": TEXT, "z": WHOLE}},
        [{"y": None, "z": None}] * 2,
        [],
    ),
    # What such a message lacks as well it has shown, but for the property itself.
    (
        AB,
        {"properties": {"a": FROM_3}, "required": ["c"]},
        [{"a": 0, "b": 0}],
        [{"a": 0, "b": 0}, {"a": 0, "b": 0}, {"a": 3, "b": 0}],
    ),
    (
        obj(a=WHOLE),
        {"properties": {"a": FROM_3}, "required": ["a", "b"]},
        [{"a": 0}, {}],
        [{"a": 0}, {"a": 0}, {}],
    ),
    # Declared properties first, then one that nobody declares, unless the first have shown it.
    (obj(a=WHOLE), NO_NAME, [{"a": 0}], [{"a": 0}, {"a": 0}, {"": None}, {"": None}]),
    ({**obj(a=WHOLE), **NO_NAME}, NO_NAME, [{"a": 0}], [{"a": 0}, {"a": 0}]),
    (obj(a=WHOLE), {"properties": {"a": True}, **NO_NAME}, [{"": None}], [{"": None}, {"": None}]),
    (
        obj(a=WHOLE, b=TEXT),
        {"additionalProperties": WHOLE},
        [{"a": 0}, {"b": ""}],
        [{"a": 0}, {"b": ""}, {"b": ""}, {"": None}, {"": None}],
    ),
    (MANY, {"additionalProperties": TEXT}, [{name: 0} for name in "abcdefghijklmnop"[:MAX_FURTHER]], []),
    (LIST, {"items": FROM_3}, [[0]], [[0], [0]]),
    ({**LIST, "minItems": 3}, {"items": FROM_3}, [[0, 0, 0]], [[0, 0, 0]] * 2),
    # No two items are alike: the whole is searched.
    ({**LIST, "uniqueItems": True}, {"items": FROM_3}, [[], [0]], [[], [0]]),
    (LIST, {"prefixItems": [FROM_3, {"maximum": -3}]}, [[0], [0, 0]], [[0], [0], [0, 0], [0, 0]]),
    ({"type": "array"}, {"items": TEXT}, [[None]], []),
    ({"type": "array"}, {"prefixItems": [TEXT]}, [[None]], []),
    (LIST, {"prefixItems": [False]}, [[0]], []),
    ({"type": "array", "prefixItems": [WHOLE, TEXT]}, {"prefixItems": [True, {"minLength": 3}]}, [[0, ""]], []),
    ({"anyOf": [WHOLE, TEXT]}, {"anyOf": [TEXT]}, [0], [0, 0, 0, 0]),
    ({"anyOf": [WHOLE, TEXT]}, {"anyOf": [FROM_3, TEXT]}, [0], [0, 0, 0, 0]),
    ({"anyOf": [WHOLE, TEXT, NULL]}, {"oneOf": [{"type": "boolean"}]}, [0, "", None], []),
    # A form stands against the one that it was changed into.
    (union(tagged("a", WHOLE), tagged("b", WHOLE)), union(tagged("b", TEXT), tagged("a", TEXT)), [A0, B0], []),
    (union(tagged("a", WHOLE), tagged("b", WHOLE)), union(tagged("c", TEXT), tagged("a", TEXT)), [A0, B], []),
    (union(tagged("a", WHOLE), tagged("b", WHOLE)), union(tagged("a", WHOLE), tagged("c", WHOLE)), [B], []),
    (union(up_to(5), from_(10), TEXT), union(TEXT, up_to(4), from_(11)), [5, 10], []),
    # The first form that shows it is enough.
    (TWO_FORMS, {"properties": {"a": NULL}}, [{"a": 0}], [{"a": 0}, {"a": 0}, {"a": ""}, {"a": ""}]),
    (TWO_FORMS, {"patternProperties": {"^a": NULL}}, [{"a": 0}], []),
    ({"allOf": [obj(a=WHOLE), obj(b=TEXT)]}, {"properties": {"b": NULL}}, [{"b": ""}], [{"b": ""}] * 3),
    ({"allOf": [obj(a=WHOLE), obj(b=TEXT)]}, {"patternProperties": {"^b": NULL}}, [{"b": ""}], [{"b": ""}] * 3),
]


@pytest.mark.parametrize(("produced", "rest", "each", "none"), PROPOSED, ids=range(len(PROPOSED)))
def test_what_is_proposed(produced: Json, rest: Json, each: list[Json], none: list[Json]) -> None:
    assert proposed(search(), produced, rest, breaks=True) == each
    if none:
        assert proposed(search(), produced, rest, breaks=False) == none


def test_references_of_both_sides_are_followed_and_left_again() -> None:
    guided = search({"n": obj(a=WHOLE)}, {"m": {"properties": {"a": FROM_3}}})
    for _ in range(2):
        assert proposed(guided, {"$ref": "#/$defs/n"}, {"$ref": "#/$defs/m"}, breaks=True) == [{"a": 0}]
    assert guided.entered == []


@pytest.mark.parametrize(
    ("schema", "inlined"),
    [
        (WHOLE, WHOLE),
        (True, True),
        ({"$ref": "#/$defs/n"}, obj(a=WHOLE)),
        ({"$ref": "#/$defs/to_n"}, obj(a=WHOLE)),
        ({"$ref": "#/$defs/n", "required": ["a"]}, {**obj(a=WHOLE), "required": ["a"]}),
        ({"$ref": "#/$defs/n", "type": "object"}, {"$ref": "#/$defs/n", "type": "object"}),
        ({"$ref": "#/$defs/any", "type": "object"}, {"$ref": "#/$defs/any", "type": "object"}),
        ({"$ref": "#/$defs/any"}, True),
    ],
)
def test_what_is_referred_to_is_read_in_place_unless_a_keyword_stands_in_both(schema: Json, inlined: Json) -> None:
    definitions = {"n": obj(a=WHOLE), "to_n": {"$ref": "#/$defs/n"}, "any": True}
    assert search(definitions).inlined(schema) == inlined


@pytest.mark.parametrize(
    ("array", "few"),
    [
        ({}, True),
        ({"minItems": 1, "items": {"type": "array", "minItems": MAX_ITEMS}}, True),
        ({"minItems": 2, "items": {"type": "array", "minItems": MAX_ITEMS // 2}}, False),
        ({"minItems": MAX_ITEMS, "items": NULL}, True),
        ({"minItems": MAX_ITEMS + 1, "items": NULL}, False),
        ({"minItems": MAX_ITEMS // 2 + 1, "items": {"type": "array", "minItems": 1}}, False),
        ({"minItems": MAX_ITEMS // 2, "items": {"type": "array", "minItems": 1, "items": NULL}}, True),
        ({"minItems": 3}, True),
        ({"items": {"type": "array", "minItems": MAX_ITEMS}}, True),
    ],
)
def test_an_array_that_takes_long_to_look_at_is_not_made(array: dict[str, Any], few: bool) -> None:
    assert search().few(array) is few


MET = {**obj(a=WHOLE, b=WHOLE), "additionalProperties": False}


@pytest.mark.parametrize(
    ("produced", "rest", "separate"),
    [
        (obj(a=WHOLE), {"properties": {"a": NULL}, "required": ["b"], "additionalProperties": False}, True),
        (obj(a=WHOLE), {"properties": {"c": NULL}}, True),
        ({"type": "object"}, {"required": ["b"]}, False),
        (obj(a=WHOLE), {"required": ["b"], "minProperties": 2}, False),
        ({**obj(a=WHOLE), "patternProperties": {"^b": WHOLE}}, NO_NAME, False),
        ({**obj(a=WHOLE), "patternProperties": {"^b": WHOLE}}, {"required": ["b"]}, True),
        (MET, {"properties": {"a": NULL}}, True),
        (MET, {"properties": {"c": NULL}}, False),
        (MET, {"properties": {"a": NULL, "b": NULL}}, True),
        ({**obj(a=WHOLE), "maxProperties": 3}, {"properties": {"a": NULL}}, False),
        # A message of one property has as many as are asked for, but where it is to lack one.
        ({**MET, "minProperties": 1}, {"properties": {"a": NULL}}, True),
        ({**MET, "minProperties": 1}, {"required": ["a"]}, False),
        ({**MET, "minProperties": 1, "required": ["b"]}, {"required": ["a"]}, True),
        ({**MET, "minProperties": 2}, {"properties": {"a": NULL}}, False),
        ({**MET, "minProperties": 2, "required": ["b"]}, {"properties": {"a": NULL}}, True),
        ({**MET, "dependentRequired": {"a": ["b"]}}, {"properties": {"a": NULL}}, False),
        ({**MET, "dependentRequired": {"b": ["a"]}}, {"properties": {"a": NULL}}, True),
        ({**MET, "dependentRequired": {"b": ["a"]}, "required": ["b"]}, {"properties": {"a": NULL}}, False),
        ({**MET, "dependentRequired": {"c": ["a"], "a": ["b"]}}, {"properties": {"a": NULL}}, False),
    ],
)
def test_properties_are_looked_at_one_by_one_where_nothing_ties_them(
    produced: dict[str, Any], rest: dict[str, Any], separate: bool
) -> None:
    assert search().separate(produced, rest) is separate


WITH_B, CLOSED = obj(b=TEXT), {"additionalProperties": False}


@pytest.mark.parametrize(
    ("produced", "forms"),
    [
        ({"anyOf": [WHOLE, TEXT]}, [(WHOLE, WHOLE), (TEXT, TEXT)]),
        ({"anyOf": [WITH_B]}, [(WITH_B, WITH_B)]),
        ({"anyOf": [WHOLE], "oneOf": [TEXT]}, []),
        ({"type": "string"}, []),
        ({"anyOf": [WHOLE], "minimum": 3}, [(WHOLE, {"type": "integer", "minimum": 3})]),
        ({"anyOf": [WHOLE], "allOf": [FROM_3]}, []),
        ({"anyOf": [WHOLE], "allOf": [FROM_3], "minimum": 2}, []),
        # What closing makes of a `oneOf`, and of a form.
        ({"oneOf": [WHOLE], "allOf": [{"anyOf": [TEXT]}]}, [(TEXT, TEXT)]),
        ({"anyOf": [WITH_B, TEXT], "unevaluatedProperties": False}, [(WITH_B, {**CLOSED, **WITH_B}), (TEXT, TEXT)]),
        (
            {"anyOf": [{"$ref": "#/$defs/b"}], "unevaluatedProperties": False},
            [({"$ref": "#/$defs/b"}, {**CLOSED, **WITH_B})],
        ),
        ({"anyOf": [True], "unevaluatedProperties": False}, [(True, True)]),
        (
            {"anyOf": [WITH_B], "required": ["b"], "unevaluatedProperties": True},
            [(WITH_B, {"required": ["b"], **WITH_B})],
        ),
    ],
)
def test_the_forms_of_a_union_with_what_stands_beside_it(produced: dict[str, Any], forms: list[Any]) -> None:
    assert search({"b": WITH_B}).forms(produced) == forms


@pytest.mark.parametrize(
    ("produced", "named", "unnamed"),
    [
        (obj(a=WHOLE, b=TEXT), {"a": NULL}, [("b", TEXT), ("", True)]),
        (obj(**{"": WHOLE}), {"a": NULL}, [("", WHOLE), ("b", True)]),
        ({**obj(a=WHOLE), "additionalProperties": TEXT}, {"": NULL}, [("a", WHOLE), ("b", TEXT)]),
        ({**obj(a=WHOLE), **CLOSED}, {}, [("a", WHOLE)]),
    ],
)
def test_declared_names_come_before_one_that_nobody_declares(produced: Any, named: Any, unnamed: list[Any]) -> None:
    assert list(search().unnamed(produced, named)) == unnamed


@pytest.mark.parametrize(
    ("alone", "several", "rest", "shows"),
    [
        (True, False, FROM_3, [True, True, True]),
        (True, True, FROM_3, [True, False, False]),
        (False, False, FROM_3, [True, False, False]),
        (False, False, False, [True, True, True]),
        # What is not seen at a glance is asked of a validator.
        (False, False, {"$ref": "#/$defs/m"}, [True, False, False]),
        (False, False, {"pattern": "("}, [False, False, False]),
    ],
)
def test_a_value_shows_what_may_be_broken(alone: bool, several: bool, rest: Json, shows: list[bool]) -> None:
    guided = search({}, {"m": FROM_3})
    guided.alone = alone
    shown = guided.showing(rest, several)
    assert [shown(value) for value in (0, 3, "a")] == shows


@pytest.mark.parametrize(("rest", "alone"), [(FROM_3, True), ({"minimum": 3, "maximum": 5}, False)])
def test_where_one_keyword_differs_every_message_that_breaks_it_shows_it(rest: Json, alone: bool) -> None:
    guided = search()
    list(guided.all(WHOLE, rest, 5))
    assert guided.alone is alone


def test_each_of_several_keywords_is_shown_by_a_value_that_breaks_it() -> None:
    guided = search()
    guided.alone = True
    assert proposed(guided, WHOLE, {"minimum": 3, "maximum": 5}, breaks=True) == [0, 6]


def test_a_property_beside_the_one_that_is_broken_has_a_value_that_the_consumer_takes() -> None:
    guided = search({"n": WHOLE}, {"m": FROM_3})
    assert guided.agreeable(WHOLE, FROM_3) == 3
    assert guided.agreeable({"$ref": "#/$defs/n"}, FROM_3) == 3
    # Where that is not read off, any of the producer.
    assert guided.agreeable(WHOLE, {"$ref": "#/$defs/m"}) == 0
    assert guided.agreeable(WHOLE, TEXT) == 0
    assert guided.agreeable(True, FROM_3) is None
    assert guided.agreeable(WHOLE, False) == 0


def test_what_cannot_be_read_off_is_a_text_or_is_searched() -> None:
    guided = search({"n": {"minimum": 2.5}})
    assert guided.solved({"type": "string", "pattern": "^ab$"}) == "ab"
    assert guided.solved({"type": "integer", "allOf": [{"$ref": "#/$defs/n"}]}) == 3
    with pytest.raises(NoMinimalInstance):
        guided.solved({"type": "integer", "allOf": [{"$ref": "#/$defs/n"}], "maximum": 2})


def test_the_parts_of_an_object_stand_in_it_under_all_of_and_behind_references() -> None:
    whole = {"$ref": "#/$defs/b", "allOf": [AB]}
    assert search({"b": WITH_B}).parts(whole) == [whole, AB, WITH_B]

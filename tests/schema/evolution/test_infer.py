"""Inference: the schema holds its samples, says what they show, and no more."""

from __future__ import annotations

import math
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_comm.errors import SchemaError
from claude_comm.schema.dialect import URI
from claude_comm.schema.evolution.infer import MAX_DEPTH, MAX_ENUM_CHARS, infer
from tests.support.examples import examples

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.sampled_from(["2026-11-22T10:00:00Z", "2026-11-22", "a@b.de", "https://a.de/x", "1.2.3.4", "red", "blue"])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner), max_leaves=12
)


def without_dialect(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$schema"}


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=30))
def test_every_sample_is_an_instance(samples: list[Any]) -> None:
    """Whatever the samples, each validates against what they gave, formats asserted, in two validators."""
    schema = infer(samples)
    rust = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    python = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for sample in samples:
        assert rust.is_valid(sample), schema
        assert python.is_valid(sample), schema


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.dictionaries(st.text("xyz", min_size=1, max_size=8), LEAVES, max_size=12), min_size=3, max_size=40))
def test_every_dictionary_is_an_instance(samples: list[Any]) -> None:
    """Objects whose keys are data stay instances when they are read as a map."""
    assert all(jsonschema_rs.is_valid(infer(samples), sample) for sample in samples)


def test_one_sample_is_enough() -> None:
    """All keys of the only sample are required, nested ones too, and formats are seen."""
    schema = infer(
        [{"id": "8f14e45f-ceea-467f-a0e6-0a3f5b3f0a11", "at": "2026-11-22T10:00:00Z", "lines": [{"n": 1, "x": 0.5}]}]
    )
    assert without_dialect(schema) == {
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"n": {"type": "integer"}, "x": {"type": "number"}},
                    "required": ["n", "x"],
                },
            },
        },
        "required": ["id", "at", "lines"],
    }


@pytest.mark.parametrize(
    ("samples", "kind"),
    [
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([1, 2.0], "number"),
        ([1.0], "number"),
        ([True, 1], ["boolean", "integer"]),
        ([None, 1, 0.5], ["null", "number"]),
        (["x", None], ["null", "string"]),
        ([[], {}], ["array", "object"]),
    ],
)
def test_floats_nulls_and_booleans_are_never_lost(samples: list[Any], kind: Any) -> None:
    """A float makes a number, a boolean is no integer, and a null is allowed for."""
    assert infer(samples)["type"] == kind


def test_a_key_is_required_only_when_always_there() -> None:
    """One object without the key is enough to make it optional; the order is that of the samples."""
    schema = infer([{"a": 1, "b": 2, "c": 3}, {"c": 1, "a": 1}])
    assert schema["required"] == ["a", "c"]
    assert list(schema["properties"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["2026-11-22"], "date"),
        (["a@b.de", "c.d@e.org"], "email"),
        (["https://a.de/x?y=1", "urn:isbn:1"], "uri"),
        (["::1"], "ipv6"),
        (["2026-11-22", "soon"], None),
        (["key:value"], None),
        ([""], None),
    ],
)
def test_a_format_is_named_when_all_agree(texts: list[str], name: str | None) -> None:
    """One string that does not fit takes the format away."""
    assert infer(texts).get("format") == name


def test_few_words_that_repeat_are_an_enumeration() -> None:
    """Ten sights of few words make an enum, with null where it was seen; fewer sights or rarer words do not."""
    assert infer(["on", "off"] * 5)["enum"] == ["off", "on"]
    assert infer(["on", "off", None] * 5)["enum"] == ["off", "on", None]
    assert "enum" not in infer(["on", "off"] * 2)
    assert "enum" not in infer(["on"] * 20 + ["once"])
    assert "enum" not in infer([f"w{i}" for i in range(40)] * 2)
    assert "enum" not in infer(["on", "off", 1] * 5)


def test_keys_that_are_data_make_a_map() -> None:
    """Objects that share no keys are a dictionary: one schema for all values, nothing required."""
    days = [{f"day-{i}": i, f"day-{i + 100}": None} for i in range(20)]
    assert without_dialect(infer(days)) == {"type": "object", "additionalProperties": {"type": ["null", "integer"]}}


@pytest.mark.parametrize("samples", [[], [math.nan], [{"a": math.inf}], [{1: 2}], [object()], [{"a": b"x"}]])
def test_what_is_not_json_is_refused(samples: list[Any]) -> None:
    """No samples, or values that JSON cannot carry, are a `SchemaError` and nothing else."""
    with pytest.raises(SchemaError):
        infer(samples)


def test_a_hostile_depth_is_refused() -> None:
    """A sample of a thousand levels ends in a `SchemaError`, not in a recursion error."""
    deep: Any = 1
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(SchemaError, match="deep"):
        infer([deep])


def test_objects_under_many_names_are_seen_as_one_with_all_their_properties() -> None:
    """A map: its values are objects, whose own properties are counted together."""
    samples = [{f"key{number}": {"n": number, **({"s": "x"} if number % 2 else {})}} for number in range(60)]
    schema = infer(samples)
    inner = schema["additionalProperties"]
    assert inner["properties"] == {"n": {"type": "integer"}, "s": {"type": "string"}} or "s" in inner["properties"]
    assert inner["required"] == ["n"]


def nested(levels: int, wrap: Any) -> Any:
    sample: Any = 1
    for _ in range(levels):
        sample = wrap(sample)
    return sample


@pytest.mark.parametrize("wrap", [lambda sample: [sample], lambda sample: {"a": sample}])
def test_samples_are_followed_to_a_depth(wrap: Any) -> None:
    assert infer([nested(MAX_DEPTH, wrap)])
    with pytest.raises(SchemaError, match="deep"):
        infer([nested(MAX_DEPTH + 1, wrap)])


def words(count: int) -> list[str]:
    return [f"w{at:02}" for at in range(count)]


ENUMERATIONS: list[tuple[list[str], list[str] | None]] = [
    # Ten sights, three for each word on average, and each word twice.
    (["on", "off"] * 4 + ["on", "on"], ["off", "on"]),
    (["on"] * 8 + ["off"] * 2, ["off", "on"]),
    (["on"] * 9 + ["off"], None),
    (["on", "off"] * 4 + ["on"], None),
    (words(5) * 2, None),
    (words(4) * 3, words(4)),
    # Twelve words, and of sixty-four characters.
    (words(12) * 3, words(12)),
    (words(13) * 3, None),
    (["x" * MAX_ENUM_CHARS] * 10, ["x" * MAX_ENUM_CHARS]),
    (["x" * (MAX_ENUM_CHARS + 1)] * 10, None),
    # What came before is not forgotten.
    (words(13) + ["on", "off"] * 9, None),
    (["x" * 65] + ["on", "off"] * 10, None),
    (["on"] * 20 + ["off"] * 2, ["off", "on"]),
    (["on"] * 20 + ["off"], None),
]


@pytest.mark.parametrize(("texts", "listed"), ENUMERATIONS)
def test_a_list_of_words_is_claimed_where_they_came_back_often(texts: list[str], listed: list[str] | None) -> None:
    assert infer(texts).get("enum") == listed


@pytest.mark.parametrize(("texts", "listed"), [row for row in ENUMERATIONS if len(row[0]) >= 20])
def test_the_values_of_a_map_are_read_together(texts: list[str], listed: list[str] | None) -> None:
    schema = infer([{f"key-{at}": text} for at, text in enumerate(texts)])
    assert schema["additionalProperties"] == {"type": "string"} | ({"enum": listed} if listed else {})
    assert all(jsonschema_rs.is_valid(schema, {"another": text}) for text in texts)


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["2026-11-22"] * 20, "date"),
        (["2026-11-22"] * 19 + ["soon"], None),
        (["soon"] + ["2026-11-22"] * 19, None),
        (["2026-11-22"] * 19 + ["a@b.de"], None),
        ([None, "2026-11-22"] * 10, "date"),
    ],
)
def test_the_values_of_a_map_have_a_format_when_all_agree(texts: list[Any], name: str | None) -> None:
    schema = infer([{f"key-{at}": text} for at, text in enumerate(texts)])
    assert schema["additionalProperties"].get("format") == name


@pytest.mark.parametrize(
    ("sights", "is_map"),
    [
        # Of ten objects, a key in three of them and one in four.
        ([3, *[1] * 19], True),
        ([4, *[1] * 19], False),
        ([1] * 20, True),
        ([1] * 19, False),
    ],
)
def test_an_object_is_a_map_where_its_keys_are_seldom_the_same(sights: list[int], is_map: bool) -> None:
    samples: list[dict[str, Any]] = [{} for _ in range(10)]
    for number, count in enumerate(sights):
        for at in range(count):
            samples[(number + at) % 10][f"key-{number}"] = 1
    assert ("additionalProperties" in infer(samples)) is is_map


def test_few_objects_make_no_map() -> None:
    assert "properties" in infer([{f"key-{at}-{number}": 1 for number in range(9)} for at in range(3)])


def test_a_text_that_no_message_can_carry_has_no_format() -> None:
    assert infer(["\ud800"]) == {"$schema": URI["draft2020-12"], "type": "string"}

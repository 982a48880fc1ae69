"""Each kind of refusal as a reason, word by word; and which refusals are one reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from claude_comm.schema.containment import reasons
from claude_comm.schema.containment.reasons import distinct, reason
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.validation.phrases import Refusal
from claude_comm.schema.validation.union_needs import SEVERAL

Steps = tuple[str | int, ...]


def refusal(rule: str, limit: Any = None, value: Any = None, path: Steps = ("a",), need: str = "") -> Refusal:
    return Refusal(path=path, schema_path=("properties", "a", rule), rule=rule, limit=limit, value=value, need=need)


WORDS = [
    (
        refusal("required", "b", {}),
        "`a.b` may be missing; the consumer requires it",
        "producer: declare `a.b` and require it",
        "consumer: make `a.b` optional, or give it a default",
    ),
    (
        refusal("additionalProperties", "a", 1),
        "`a` may be present; the consumer allows no such property",
        "producer: stop declaring `a`",
        "consumer: declare `a`, or allow additional properties",
    ),
    (
        refusal("unevaluatedProperties", "a", 1, need="what `unevaluatedProperties` allows there"),
        "`a` may be 1; the consumer needs what `unevaluatedProperties` allows there",
        "producer: narrow `a` until `unevaluatedProperties` holds",
        "consumer: relax `unevaluatedProperties` on `a`",
    ),
    (
        refusal("false schema", None, 1),
        "`a` may be present; the consumer allows nothing there",
        "producer: stop sending `a`",
        "consumer: allow `a`",
    ),
    (
        refusal("anyOf", None, 1, need="a string or null"),
        "`a` may be 1; the consumer needs a string or null",
        "producer: send nothing else as `a`",
        "consumer: accept 1 for `a`",
    ),
    (
        refusal("oneOf", None, 1, need=SEVERAL),
        f"`a` may be 1; the consumer needs {SEVERAL}",
        "producer: narrow `a` until `oneOf` holds",
        "consumer: relax `oneOf` on `a`",
    ),
    (
        refusal("anyOf", None, 1),
        "`a` may be 1; the consumer needs one of the forms that it lists",
        "producer: narrow `a` until `anyOf` holds",
        "consumer: relax `anyOf` on `a`",
    ),
    (
        refusal("type", ["string", "null"], 1),
        "`a` may be an integer; the consumer needs a string or null",
        "producer: make `a` a string or null",
        "consumer: accept an integer for `a`",
    ),
    (
        refusal("const", "x", "y"),
        '`a` may be "y"; the consumer needs exactly "x"',
        'producer: send only "x" as `a`',
        'consumer: accept "y" for `a`',
    ),
    (
        refusal("enum", [1, 2], 3),
        "`a` may be 3; the consumer needs one of 1, 2",
        "producer: send only one of 1, 2 as `a`",
        "consumer: accept 3 for `a`",
    ),
    (
        refusal("maximum", 5, 6),
        "`a` may be 6; the consumer needs at most 5",
        "producer: declare `maximum: 5` on `a`",
        "consumer: relax `maximum` on `a`",
    ),
    (
        refusal("minContains", 2, [], need="at least 2 items of the kind that `contains` describes"),
        "`a` may be []; the consumer needs at least 2 items of the kind that `contains` describes",
        "producer: narrow `a` until `minContains` holds",
        "consumer: relax `minContains` on `a`",
    ),
    (
        refusal("not", {"type": "string"}, "x"),
        '`a` may be "x"; the consumer needs something else than what `not` describes',
        "producer: narrow `a` until `not` holds",
        "consumer: relax `not` on `a`",
    ),
    (
        refusal("minLength", 1, "", need="a name"),
        "`a` may be empty; the consumer needs a name",
        "producer: declare `minLength: 1` on `a`",
        "consumer: relax `minLength` on `a`",
    ),
]


@pytest.mark.parametrize(("refused", "sentence", "producer", "consumer"), WORDS)
def test_a_refusal_in_words_and_what_either_side_may_change(
    refused: Refusal, sentence: str, producer: str, consumer: str
) -> None:
    told = reason(refused)
    assert (told.sentence, told.mends) == (sentence, (producer, consumer))
    assert (told.path, told.schema_path, told.rule) == ("$.a", f"/properties/a/{refused.rule}", refused.rule)


@pytest.mark.parametrize(
    ("rule", "limits", "declared", "count"),
    [
        # Each property that is missing is a reason of its own, declared or not.
        ("required", ["b", "c"], (), 2),
        ("required", ["b", "b"], ("b",), 1),
        # So is each one too many that the producer declares; the others stand for the members of a map.
        ("additionalProperties", ["b", "c"], ("b", "c"), 2),
        ("additionalProperties", ["b", "c"], ("b",), 2),
        ("additionalProperties", ["b", "c"], (), 1),
        # Any other rule is one reason at its place, whatever its limit.
        ("maximum", [1, 2], ("a",), 1),
    ],
)
def test_reasons_at_one_place_are_told_apart_by_the_property_that_they_are_about(
    rule: str, limits: list[Any], declared: tuple[str, ...], count: int
) -> None:
    found = [refusal(rule, limit, 9, path=()) for limit in limits]
    assert len(distinct(found, declared)) == count


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ([("a",)], ["$.a"]),
        ([("a",), ("a",), ("b",)], ["$.a", "$.b"]),
        ([("a",), ("b",)], ["$.a", "$.b"]),
        # The same again some levels down, in the middle, at the front or at the end.
        ([("v",), ("next", "v")], ["$.v"]),
        ([("next", "v"), ("v",)], ["$.v"]),
        ([("a", "v"), ("a", "next", "v")], ["$.a.v"]),
        ([("a", "b", "v"), ("a", "b", "next", "next", "v")], ["$.a.b.v"]),
        ([("a", "b", "v"), ("next", "a", "b", "v")], ["$.a.b.v"]),
        # Only the front or only the end is the same, or as many steps lead to another place.
        ([("a", "v"), ("a", "next", "w")], ["$.a.v", "$.a.next.w"]),
        ([("a", "v"), ("b", "next", "v")], ["$.a.v", "$.b.next.v"]),
        ([("a", "v"), ("a", "w")], ["$.a.v", "$.a.w"]),
        # What follows the whole of a place is below it, and no repetition.
        ([("a",), ("a", "b")], ["$.a", "$.a.b"]),
        ([("a", "v"), ("v", "a", "b")], ["$.a.v", "$.v.a.b"]),
        # Items of an array are one place.
        ([("l", 0, "v"), ("l", 3, "v")], ["$.l[0].v"]),
        ([(), ("a",)], ["$", "$.a"]),
    ],
)
def test_what_is_the_same_place_again_further_down_is_told_once(paths: list[Steps], told: list[str]) -> None:
    assert [one.path for one in distinct([refusal("type", "string", 1, path=path) for path in paths])] == told


def test_members_of_a_map_are_one_place_however_the_schema_leads_there() -> None:
    """Over a reference the path in the schema is shorter than the one in the message."""
    steps = ("$defs", "map", "additionalProperties", "type")
    found = [
        Refusal(path=("x", name), schema_path=steps, rule="type", limit="string", value=1, need="") for name in "kl"
    ]
    assert [one.path for one in distinct(found)] == ["$.x.k"]
    assert [one.path for one in distinct(found, ["k", "l"])] == ["$.x.k", "$.x.l"]


class Seven:
    """What it costs to name errors, where seven may be named."""

    def named(self, _: object) -> int:
        return 7


def test_all_errors_are_named_of_a_small_message_and_so_many_of_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(reasons, "errors", lambda _ready, _message, many: asked.append(many) or ())
    side = msgspec.structs.replace(side_of({"items": {"type": "string"}}, "draft2020-12", lambda: None))
    vars(side)["error_cost"] = Seven()
    for message in ([1], [1] * 100_000):
        reasons._errors(side, message)
    assert asked == ["all", 7]

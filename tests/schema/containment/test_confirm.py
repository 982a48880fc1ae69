"""A message is a witness where two validators say the same of it, and neither is asked for longer than its bounds."""

from __future__ import annotations

import msgspec
import pytest

from claude_comm.schema.containment import confirm
from claude_comm.schema.containment.confirm import Side, accepts, confirmed, fits, separates
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.cost import pattern_cost
from claude_comm.schema.cost.validation_cost import cost_of, size_of
from claude_comm.schema.dialect import DEFAULT
from claude_comm.schema.values import text
from claude_comm.schema.verdict import Json


def tick() -> None:
    pass


def made(schema: Json) -> Side:
    """Its own: what is derived from it is replaced below."""
    return msgspec.structs.replace(side_of(schema, DEFAULT, tick))


INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
# It may look ahead, which costs an engine that backtracks a search from each character.
AHEAD = {"pattern": "^(?=.*a)(?=.*b).*.*.*c$"}


def test_both_validators_say_so() -> None:
    assert (accepts(made(INTEGER), 1, tick), accepts(made(INTEGER), "a", tick)) == (True, False)


class Contrary:
    """A second validator that never agrees."""

    def says(self, *_: object) -> bool:
        return False


def test_where_they_differ_nothing_is_said() -> None:
    side = made(INTEGER)
    vars(side)["second"] = Contrary()
    assert (accepts(side, 1, tick), accepts(side, "a", tick)) == (None, None)
    assert not confirmed(side, made(TEXT), 1, tick)
    assert not confirmed(made(INTEGER), side, "a", tick)
    # The first alone is asked here.
    assert separates(side, made(TEXT), 1, tick)
    assert fits(side, 1, tick)


def test_a_witness_is_sent_and_refused() -> None:
    sides = made(NUMBER), made(INTEGER)
    for value, is_one in ((0.5, True), (1, False), ("a", False)):
        assert confirmed(*sides, value, tick) is is_one
        assert separates(*sides, value, tick) is is_one
    assert confirmed(*sides, 0.5, tick, separated=True)


def test_what_the_normal_form_leaves_out_counts_as_it_was_written() -> None:
    """A closed form says less than the schema where that holds what no normal form says."""
    left_out = msgspec.structs.replace(made(NUMBER), written=made(INTEGER))
    assert [accepts(left_out, value, tick) for value in (1, 0.5, "a")] == [True, False, False]
    assert [fits(left_out, value, tick) for value in (1, 0.5, "a")] == [True, False, False]
    assert [separates(left_out, made(TEXT), value, tick) for value in (1, 0.5)] == [True, False]
    left_out = msgspec.structs.replace(made(INTEGER), written=made(NUMBER))
    assert not fits(left_out, 0.5, tick)
    assert not separates(left_out, made(TEXT), 0.5, tick)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}])
def test_a_circle_cannot_be_asked(schema: Json) -> None:
    side = made(schema)
    assert accepts(side, 1, tick) is None
    assert not fits(side, 1, tick)
    assert separates(side, made(TEXT), 1, tick) is False
    assert separates(made(INTEGER), side, 1, tick) is False


def test_shared_items_are_larger_than_any_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "MAX_FAST", 10_000)
    value: list[Json] = []
    for _ in range(40):
        value = [value, value]
    assert accepts(made(True), value, tick) is None
    assert not confirmed(made(True), made(INTEGER), value, tick)


VALUE = [""] * 4_100


BOUNDS = ("MAX_FAST", "MAX_SLOW", "MAX_PRINTED", "MAX_SLOW_DEPTH")


@pytest.mark.parametrize("bound", BOUNDS)
def test_each_bound_is_the_most_that_is_asked(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    side, other = made({"items": TEXT}), made({"items": INTEGER})
    cost = cost_of(side.document, VALUE, tick, size_of(VALUE))
    assert cost is not None
    most = {
        "MAX_FAST": cost.evaluations,
        "MAX_SLOW": cost.evaluations,
        "MAX_PRINTED": cost.evaluations * len(text(VALUE)),
        "MAX_SLOW_DEPTH": cost.depth,
    }[bound]
    for other_bound in BOUNDS:
        monkeypatch.setattr(confirm, other_bound, 1 << 40)
    fast = bound == "MAX_FAST"
    for limit, within in ((most, True), (most - 1, False)):
        monkeypatch.setattr(confirm, bound, limit)
        assert accepts(side, VALUE, tick) is (True if within else None)
        assert confirmed(side, other, VALUE, tick) is within
        assert confirmed(side, other, VALUE, tick, separated=True) is within
        assert fits(side, VALUE, tick) is (within or not fast)
        assert separates(side, other, VALUE, tick) is (within or not fast)
        assert separates(other, side, [1] * 4_100, tick) is (within or not fast)


def test_a_pattern_is_searched_only_where_that_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_cost, "MAX_LOOKAROUND", 100_000)
    side, long = made(AHEAD), "ab" * 100
    assert [accepts(side, value, tick) for value in ("abc", "b", long)] == [True, False, None]
    assert [fits(side, value, tick) for value in ("abc", long)] == [True, False]
    assert [separates(side, made(INTEGER), value, tick) for value in ("abc", long)] == [True, False]
    assert [separates(made(TEXT), side, value, tick) for value in ("b", long)] == [True, False]


class Refusing:
    """A first validator that cannot be asked."""

    def is_valid(self, _: object) -> bool:
        raise ValueError


def test_what_the_first_cannot_be_asked_is_no_witness() -> None:
    side = made(INTEGER)
    vars(side)["rust"] = Refusing()
    assert accepts(side, 1, tick) is None
    assert fits(side, 1, tick) is False
    assert separates(side, made(TEXT), 1, tick) is False
    assert not confirmed(side, made(TEXT), 1, tick)


def test_a_closed_side_keeps_what_was_written_only_where_something_is_left_out() -> None:
    assert made(INTEGER).closed.written is None
    for part in ("opaque", "lexical"):
        side = made(INTEGER)
        side = msgspec.structs.replace(side, document=msgspec.structs.replace(side.document, **{part: True}))
        assert side.closed.written is side


def test_the_canonical_form_is_that_of_the_document() -> None:
    assert made(INTEGER).canonical is not None
    assert made({"oneOf": [{}] * 5}).canonical is None


@pytest.mark.parametrize("bound", ["SMALL", "MAX_FAST", "MAX_SLOW", "MAX_PRINTED", "MAX_SLOW_DEPTH"])
def test_without_a_look_at_it_a_message_is_light_within_each_bound(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = made({"items": TEXT}).document
    assert document.unfolded is not None
    nodes, depth = document.unfolded.nodes, document.unfolded.depth
    for characters in (1, 7):
        most = {"MAX_PRINTED": nodes * 3 * characters, "MAX_SLOW_DEPTH": depth}.get(bound, nodes * 3)
        counted = (characters,) if characters > 1 else ()
        for limit, within in ((most, True), (most - 1, False)):
            monkeypatch.setattr(confirm, bound, limit)
            assert confirm._is_light(document, 3, *counted) is within


def test_more_evaluations_than_the_message_has_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in BOUNDS:
        monkeypatch.setattr(confirm, bound, 1 << 40)
    side = made({"items": {"allOf": [TEXT] * 3}})
    cost = cost_of(side.document, VALUE, tick, size_of(VALUE))
    assert cost is not None
    for limit, answer in ((cost.evaluations, True), (cost.evaluations - 1, None)):
        monkeypatch.setattr(confirm, "MAX_FAST", limit)
        assert accepts(side, VALUE, tick) is answer


def test_a_part_is_compiled_only_where_every_reference_is_to_the_root() -> None:
    unsure = msgspec.structs.replace(made(NUMBER), sure=False)
    assert unsure._is_local
    wandering = msgspec.structs.replace(unsure.document, dynamic=True)
    assert not msgspec.structs.replace(unsure, document=wandering)._is_local

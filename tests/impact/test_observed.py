"""What was observed of payloads, and which values it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from claude_comm.impact import history, observed
from claude_comm.impact.blocks import Block
from claude_comm.impact.observed import PathFacts


def facts_of(*values: Any, maps: Mapping[Any, Any] = observed.NO_MAPS) -> PathFacts:
    facts = PathFacts()
    observed.absorb(facts, values, maps=maps)
    return facts


@pytest.mark.parametrize(
    ("values", "like", "unlike"),
    [
        ([1, 5.5], 1.0, 6.0),
        ([1.0, 7.5], 1, 8),
        (["a", "bb"], "a", "ccc"),
        ([{"n": 1}, {"n": 3}], {"n": 3}, {"n": 3, "m": 1}),
        ([{"n": 1}, {"n": 1, "m": None}], {"n": 1, "m": None}, {"m": None}),
        ([[1, 2]], [2, 2], [2, 3]),
    ],
)
def test_facts_describe_what_they_are_of_and_not_what_none_can_be(values: list[Any], like: Any, unlike: Any) -> None:
    facts = facts_of(*values)
    assert all(observed.describes(facts, value) for value in [*values, like])
    assert not observed.describes(facts, unlike)


def test_what_could_not_be_read_may_be_anything() -> None:
    facts = facts_of(1)
    observed.unknown(facts, 1)
    assert observed.describes(facts, {"any": "thing"})


def test_names_of_a_map_stay_among_the_rest() -> None:
    facts = facts_of({"k": 0, "a": 1}, {"k": 0, "b": 2}, maps={(): {"k"}})
    observed.absorb(facts, [{"k": 0, "c": 3}])
    assert list(facts.types["object"].properties) == ["k"]
    assert observed.describes(facts, {"k": 0, "z": 3})
    assert not observed.describes(facts, {"k": 0, "z": "three"})


def block(*numbers: Any) -> Block:
    return Block(facts=facts_of(*({"n": number} for number in numbers)))


def test_the_blocks_that_may_hold_what_is_refused_are_suspected() -> None:
    blocks = [block(1, 2), block(2, 9), block(1, 1)]
    assert history.suspects(blocks, {"properties": {"n": {"maximum": 5}}}) == [blocks[1]]
    assert history.suspects(blocks, {"properties": {"n": {"maximum": 9}}}) == []
    assert history.suspects(blocks, None) == blocks


def test_each_of_too_many_reasons_is_not_followed_and_every_block_suspected() -> None:
    blocks = [block(number) for number in range(20)]
    suspected = history.suspects(blocks, {"properties": {"n": {"const": "none"}}})
    assert sorted(map(id, suspected)) == sorted(map(id, blocks))


def test_a_refusal_without_a_place_is_of_the_whole_message() -> None:
    assert history._refused_at([1], {"properties": {"n": False}}) == ((), [1])


@pytest.mark.parametrize(
    ("accepted", "none"),
    [
        (None, True),
        (False, True),
        (True, False),
        ({"properties": {"n": {"type": "string"}}}, True),
        ({"properties": {"n": {"maximum": 1}}}, False),
        ({"$anchor": "top", "properties": {"n": {"type": "string"}}}, False),
    ],
)
def test_that_none_fits_is_proved_or_not_said(accepted: Any, none: bool) -> None:
    assert history.none_fits(facts_of({"n": 1}, {"n": 2}), accepted) is none

"""Values that the fast encoder does not take, and numbers that no float prints."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from claude_comm.schema.values import Unwritable, ordered, text, value, written


def test_integers_past_64_bits_and_surrogates_are_written_all_the_same() -> None:
    for odd in (2**70, {"b": 2**70, "a": 1}, "\ud800"):
        assert json.loads(text(odd)) == odd
        assert json.loads(ordered(odd)) == odd
    assert ordered({"b": 2**70, "a": 1}) == ordered({"a": 1, "b": 2**70})
    assert ordered({"b": 2, "a": 1}) == '{"a":1,"b":2}'


def test_a_number_is_written_where_its_text_denotes_it() -> None:
    assert [written(Fraction(3)), written(Fraction(1, 4))] == [3, 0.25]
    for number in (Fraction(1, 3), Fraction(10**400 + 1, 2)):
        with pytest.raises(Unwritable):
            written(number)


def test_a_value_comes_back_from_its_key() -> None:
    assert value(("z",)) is None
    assert value(("a", ("n", Fraction(1)), ("s", "x"))) == [1, "x"]
    assert value(("o", (("b", ("z",)), ("a", ("b", True))))) == {"a": True, "b": None}

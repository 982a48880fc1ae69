"""A bound that is written as a float is the decimal that it prints as, to the prover and at run time."""

from __future__ import annotations

import pytest

from claude_comm.schema import Compatible, Incompatible, check
from claude_comm.schema.validation.validator import compile_validator

BOUND = 9.223372036854776e18
ACCEPTED = {"type": "number", "exclusiveMaximum": BOUND}


@pytest.mark.parametrize("value", [2**63 - 1, 2**63, 2**63 + 1, 9_223_372_036_854_775_999])
def test_an_integer_below_the_decimal_of_a_float_is_taken(value: int) -> None:
    """As a binary float the bound is 2**63 itself: a validator that rounds would refuse these."""
    verdict = check({"type": "integer", "minimum": value, "maximum": value}, ACCEPTED)
    assert isinstance(verdict, Compatible)
    assert compile_validator(ACCEPTED).accepts(value)


@pytest.mark.parametrize("value", [9_223_372_036_854_776_000, 9_223_372_036_854_776_001, 2**64 - 1])
def test_an_integer_from_the_decimal_of_a_float_on_is_refused(value: int) -> None:
    verdict = check({"type": "integer", "minimum": value, "maximum": value}, ACCEPTED)
    assert isinstance(verdict, Incompatible)
    assert not compile_validator(ACCEPTED).accepts(value)

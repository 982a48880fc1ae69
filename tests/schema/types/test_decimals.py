"""Bounds of decimals, held to what Python writes of them."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal

import pytest

from claude_comm.schema.types.decimals import at_least, at_most

LIMITS = [
    "0",
    "1",
    "-1",
    "1.5",
    "-1.5",
    "9",
    "10",
    "99.9",
    "100",
    "-100",
    "120.05",
    "0.05",
    "-0.5",
    "1234",
    "1E+3",
    "2500",
    "12345678901",
    "1E+99",
]
NUMBERS = [
    Decimal(sign + text)
    for sign, text in itertools.product(
        ("", "-"),
        (
            *("0", "0.0", "1", "1.0", "1.4", "1.5", "1.50", "1.51", "2", "8", "9", "9.99", "10", "11", "99", "99.9"),
            *("99.91", "100", "100.0", "101", "119", "120", "120.05", "120.06", "999", "1000", "1233.9", "1234", "0.5"),
            *("0.04", "0.05", "0.06", "1E-7", "9.9E-9", "0E-9", "1E+2", "1.2E+2", "1E+3", "1.2E+3", "1.24E+3", "9E+9"),
            *("1.00E+3", "1.234E+3", "1.2340E+5", "2E+3", "1.3E+3", "0E+2", "12340", "0.51", "0.49"),
            *(
                "1E+1",
                "2E+1",
                "9E+1",
                "1.1E+2",
                "1.0E+2",
                "1.23E+3",
                "1.22E+3",
                "1.20E+3",
                "1.3E+3",
                "1E+10",
                "1.2E+12",
                "1E+11",
                "9E+99",
                "1E+98",
                "1E+100",
                "1E+99",
            ),
        ),
    )
]


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("strict", [False, True])
def test_a_bound_takes_the_numerals_on_its_side_and_no_others(limit: str, strict: bool) -> None:
    bound = Decimal(limit)
    above, below = at_least(limit, strict=strict), at_most(limit, strict=strict)
    assert above is not None
    assert below is not None
    for number in NUMBERS:
        equal = number == bound and not strict
        assert bool(re.fullmatch(above, str(number))) is (number > bound or equal), (number, above)
        assert bool(re.fullmatch(below, str(number))) is (number < bound or equal), (number, below)


@pytest.mark.parametrize("limit", ["1E-9", "Infinity", "NaN"])
def test_a_limit_that_is_too_near_to_zero_or_no_number_is_not_told(limit: str) -> None:
    assert at_least(limit, strict=False) is None

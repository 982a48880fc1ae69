"""The whole numbers between whole bounds: most bounds are integers, and to divide fractions takes fifty times as long.

Law: where bounds are told, the numbers of the schema that are whole are those from the least to the greatest.
"""

from __future__ import annotations

import math
from typing import Any

from claude_comm.schema.keywords import NUMBER_BOUNDS, TABLE

# By the keyword: whether it is a lower bound, and how far the first number is beyond it.
_BOUNDS = tuple((name, TABLE[name].bound > 0, int(TABLE[name].exclusive)) for name in NUMBER_BOUNDS)


def whole_bounds(schema: dict[str, Any]) -> tuple[float, float] | None:
    """The least and the greatest whole number, infinite where nothing bounds them.

    None where a bound is no integer, or `multipleOf` asks for steps.
    """
    if "multipleOf" in schema:
        return None
    low, high = -math.inf, math.inf
    for keyword, is_lower, beyond in _BOUNDS:
        if keyword in schema:
            limit = schema[keyword]
            if type(limit) is not int:
                return None
            if is_lower:
                low = max(low, limit + beyond)
            else:
                high = min(high, limit - beyond)
    return low, high

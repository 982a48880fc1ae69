"""Candidates with what stands around them: a value found at a place becomes a message.

Law: what is answered about a message is handed down to whoever made the value in it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from claude_comm.schema.solver.result import Candidates
from claude_comm.schema.verdict import Json


def always(value: Json) -> bool:
    """Of a value that breaks the consumer by itself: that it shows what there is to show."""
    return True


def placed(
    values: Candidates, around: Callable[[Json], Json], shows: Callable[[Json], bool] = always
) -> Generator[Json, bool, bool]:
    """The candidates with what stands around each value; in the end, whether one that breaks the consumer shows it."""
    shown = False
    try:
        value = next(values)
        while True:
            breaks = yield around(value)
            shown = shown or (breaks and shows(value))
            value = values.send(breaks)
    except StopIteration:
        return shown


def as_it_is(value: Json) -> Json:
    return value

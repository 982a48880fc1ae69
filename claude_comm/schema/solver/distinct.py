"""Systems of distinct representatives: one value for each place, no two of them equal.

Law: a system exists exactly when a bipartite matching covers all places (Hall, 1935); it is found by augmenting paths
(Kuhn, 1955).
"""

from __future__ import annotations

from claude_comm.schema.values import Key, key
from claude_comm.schema.verdict import Json


def representatives(choices: list[list[Json]]) -> list[Json] | None:
    """A value out of each list, all different by JSON equality; None when there is no such choice."""
    options = [{key(value): value for value in values} for values in choices]
    taken: dict[Key, int] = {}
    for place in range(len(options)):
        if not _place(place, options, taken, set()):
            return None
    chosen = {place: value_key for value_key, place in taken.items()}
    return [options[place][chosen[place]] for place in range(len(options))]


def _place(place: int, options: list[dict[Key, Json]], taken: dict[Key, int], tried: set[Key]) -> bool:
    for value_key in options[place]:
        if value_key in tried:
            continue
        tried.add(value_key)
        if value_key not in taken or _place(taken[value_key], options, taken, tried):
            taken[value_key] = place
            return True
    return False

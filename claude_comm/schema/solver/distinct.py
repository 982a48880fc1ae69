"""Systems of distinct representatives: one value for each place, no two of them equal.

Law: a system exists exactly when a bipartite matching covers all places (Hall, 1935); it is found by augmenting paths
(Kuhn, 1955).
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.schema.values import Key, key
from claude_comm.schema.verdict import Json


def representatives(choices: Sequence[Sequence[Json]]) -> list[Json] | None:
    """A value out of each list, all different by JSON equality; None when there is no such choice."""
    options = [{key(value): value for value in values} for values in choices]
    matching = _Matching(options)
    if not all(matching.augment(place, set()) for place in range(len(options))):
        return None
    chosen = {place: value for value, place in matching.place_of.items()}
    return [options[place][chosen[place]] for place in range(len(options))]


class _Matching:
    """Which place has which value so far."""

    def __init__(self, options: Sequence[dict[Key, Json]]) -> None:
        self.options = options
        self.place_of: dict[Key, int] = {}

    def augment(self, place: int, tried: set[Key]) -> bool:
        """Gives a place a value, moving other places to other values where they stand in the way."""
        for value in self.options[place]:
            if value in tried:
                continue
            tried.add(value)
            if value not in self.place_of or self.augment(self.place_of[value], tried):
                self.place_of[value] = place
                return True
        return False

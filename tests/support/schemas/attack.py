"""An attack on a `Compatible`: messages of the producer, sampled until one breaks the consumer or patience ends."""

from __future__ import annotations

import itertools
import random
from typing import Any

from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.validator import compiled
from tests.support.schemas.pairs import message, mutated


def breaking(produced: Any, accepted: Any, chance: random.Random, wanted: int) -> tuple[Any, int]:
    """A message that breaks the consumer, as a list of one or none; and how many of the producer were tried."""
    sends, takes = compiled(produced, "draft2020-12"), compiled(accepted, "draft2020-12")
    guesses = candidates(normalise(produced, "draft2020-12").schema, harvest(produced, accepted))
    sent: list[Any] = []
    for guess in itertools.chain(itertools.islice(guesses, wanted), _wild(sent, chance, 5 * wanted)):
        if sends.is_valid(guess):
            sent.append(guess)
            if not takes.is_valid(guess):
                return [guess], len(sent)
            if len(sent) >= wanted:
                break
    return [], len(sent)


def _wild(sent: list[Any], chance: random.Random, count: int) -> Any:
    for _ in range(count):
        yield mutated(chance, chance.choice(sent)) if sent and chance.random() < 0.6 else message(chance)

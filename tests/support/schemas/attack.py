"""An attack on a `Compatible`: messages of the producer, sampled until one breaks the consumer or patience ends."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import jsonschema

from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.confirm import compile_side
from claude_comm.schema.dialect import DEFAULT, Dialect
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.validator import compiled
from claude_comm.schema.verdict import Policy
from tests.support.schemas.pairs import message, mutated

_SECOND = {
    "draft2020-12": jsonschema.Draft202012Validator,
    "draft2019-09": jsonschema.Draft201909Validator,
    "draft7": jsonschema.Draft7Validator,
    "draft6": jsonschema.Draft6Validator,
    "draft4": jsonschema.Draft4Validator,
}


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


def broken(
    produced: Any,
    accepted: Any,
    chance: random.Random,
    wanted: int,
    *,
    policy: Policy = "strict",
    dialects: tuple[Dialect, Dialect] = (DEFAULT, DEFAULT),
) -> list[Any]:
    """The same of schemas in any dialect under either policy; large ones give messages that are far apart."""
    closed = under(policy, produced, default_dialect=dialects[0])
    first = dialects[0] if policy == "strict" else DEFAULT
    sends = [compile_side(schema, first if schema is closed[-1] else dialects[0]) for schema in closed]
    takes = compile_side(accepted, dialects[1])
    documents = normalise(produced, dialects[0]).schema, normalise(accepted, dialects[1]).schema
    guesses = itertools.islice(candidates(documents[0], harvest(*documents)), 20 * wanted)
    sent: list[Any] = []
    for guess in itertools.chain(guesses, _wild(sent, chance, 5 * wanted)):
        if all(_takes(each, guess) for each in sends):
            if not _takes(takes, guess):
                return [guess]
            sent.append(guess)
            if len(sent) >= wanted:
                break
    return []


def refuted(produced: Any, accepted: Any, witness: Any, dialects: tuple[Dialect, Dialect]) -> str:
    """What is wrong with a witness by both validators, on both schemas as they are written; empty if nothing is."""
    for schema, dialect, wanted in ((produced, dialects[0], True), (accepted, dialects[1], False)):
        registry = jsonschema.validators.SPECIFICATIONS
        said = (
            _takes(compile_side(schema, dialect), witness),
            bool(_SECOND[dialect](schema, registry=registry).is_valid(witness)),
        )
        if said != (wanted, wanted):
            return f"{'produced' if wanted else 'accepted'}: the validators say {said} of {witness!r}"
    return ""


def _takes(validator: Any, value: Any) -> bool:
    try:
        return bool(validator.is_valid(value))
    except ValueError:
        return False


def _wild(sent: list[Any], chance: random.Random, count: int) -> Iterator[Any]:
    for _ in range(count):
        yield mutated(chance, chance.choice(sent)) if sent and chance.random() < 0.6 else message(chance)

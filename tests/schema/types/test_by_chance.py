"""Random types and values: what is agreed is delivered, what is refused has a witness that the decoder refuses."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta
from pydantic import create_model

from claude_comm.client.payload_types import accepted, produced
from claude_comm.errors import DecodeError
from claude_comm.schema.containment.check import check
from claude_comm.schema.verdict import Compatible, Incompatible
from tests.support.typed_values import deliver, sender, take

# A type and a value of it, both by chance.
Made = tuple[Any, Callable[[random.Random], Any]]


def _moment(chance: random.Random) -> dt.datetime:
    moment = dt.datetime.min + dt.timedelta(chance.randrange(3_650_000), chance.randrange(86_400), chance.randrange(3))
    zone = dt.timezone(dt.timedelta(minutes=chance.randrange(-900, 900)))
    return moment.replace(tzinfo=zone) if chance.random() < 0.5 else moment


SCALARS: list[Made] = [
    (int, lambda chance: chance.choice((0, 1, -1, 2**40, -(2**63), 2**63 - 1, chance.randrange(-1000, 1000)))),
    (Annotated[int, Meta(ge=0, lt=10)], lambda chance: chance.randrange(10)),
    (float, lambda chance: chance.choice((0.0, 1.0, -2.5, 1e300, chance.random(), float(chance.randrange(100))))),
    (bool, lambda chance: chance.random() < 0.5),
    (str, lambda chance: chance.choice(("", "a", "é\n", "2020-01-01", "1", "true", "P1D", "aGk="))),
    # A model of pydantic writes bytes as text, and has no form for other bytes.
    (bytes, lambda chance: bytes(chance.randrange(128) for _ in range(chance.randrange(6)))),
    (type(None), lambda _chance: None),
    (uuid.UUID, lambda chance: uuid.UUID(int=chance.getrandbits(128))),
    (Decimal, lambda chance: Decimal(chance.randrange(-(10**6), 10**6)).scaleb(chance.randrange(-8, 8))),
    (dt.date, lambda chance: dt.date.fromordinal(chance.randrange(1, dt.date.max.toordinal()))),
    (dt.timedelta, lambda chance: dt.timedelta(chance.randrange(-999, 999), chance.random() * 86_400)),
    (dt.datetime, _moment),
    (dt.time, lambda chance: _moment(chance).time()),
    (Literal["x", "y"], lambda chance: chance.choice(("x", "y"))),
    (Literal[1, 2], lambda chance: chance.choice((1, 2))),
]


def made(chance: random.Random, depth: int = 0) -> Made:
    kind = chance.randrange(4 if depth >= 2 else 11)
    if kind < 4:
        return chance.choice(SCALARS)
    inner, value = made(chance, depth + 1)
    if kind == 4:
        return list[inner], lambda chance: [value(chance) for _ in range(chance.randrange(3))]  # type: ignore[valid-type]
    if kind == 5:
        return dict[str, inner], lambda chance: {name: value(chance) for name in "ab"[: chance.randrange(3)]}  # type: ignore[valid-type]
    if kind == 6:
        return dict[int, inner], lambda chance: {at: value(chance) for at in range(chance.randrange(3))}  # type: ignore[valid-type]
    if kind == 7:
        return inner | None, lambda chance: None if chance.random() < 0.3 else value(chance)
    if kind == 8:
        other, another = made(chance, depth + 1)
        return tuple[inner, other], lambda chance: (value(chance), another(chance))  # type: ignore[valid-type]
    return _class(chance, depth)


def _class(chance: random.Random, depth: int) -> Made:
    fields = [(name, *made(chance, depth + 1)) for name in "abc"[: chance.randrange(1, 4)]]
    options = {"forbid_unknown_fields": chance.random() < 0.2, "array_like": chance.random() < 0.15}
    struct = msgspec.defstruct("Made", [(name, shape) for name, shape, _ in fields], **options)
    return struct, lambda chance: struct(*(value(chance) for _, _, value in fields))


def _model(chance: random.Random) -> Made:
    fields = [(name, *made(chance, 1)) for name in "abc"[: chance.randrange(1, 4)]]
    while any(_is_structs(shape) for _, shape, _ in fields):
        fields = [(name, *made(chance, 2)) for name, _, _ in fields]
    model: Any = create_model("Model", **{name: (shape, ...) for name, shape, _ in fields})  # type: ignore[call-overload]
    return model, lambda chance: model.model_construct(**{name: value(chance) for name, _, value in fields})


def _is_structs(shape: Any) -> bool:
    """Whether a type holds what pydantic does not know."""
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return True
    return any(_is_structs(part) for part in getattr(shape, "__args__", ()) if not isinstance(part, str | int))


def hold(seed: int, values: int) -> tuple[int, str]:
    """One pair of types; how many messages were delivered, and the verdict."""
    chance = random.Random(seed)
    sent, value = _model(chance) if chance.random() < 0.25 else made(chance)
    # Half of the pairs are of a type with itself: of two random ones few agree.
    taken = sent if chance.random() < 0.5 else (_model(chance) if chance.random() < 0.25 else made(chance))[0]
    verdict = check(produced(sent), accepted(taken), budget_ms=20_000)
    if isinstance(verdict, Compatible):
        send = sender(produced(sent))
        for _ in range(values):
            deliver(value(chance), send, taken)
        return values, verdict.answer
    assert isinstance(verdict, Incompatible), (seed, verdict)
    with pytest.raises(DecodeError):
        pytest.fail(f"{seed}: {verdict.witness!r} was taken for {take(verdict.witness, taken)!r}")
    return 0, verdict.answer


def test_random_types_keep_the_promise() -> None:
    assert sum(hold(seed, 5)[0] for seed in range(80)) > 100


@pytest.mark.long
def test_random_types_keep_the_promise_for_twenty_thousand_messages() -> None:
    delivered, seed = 0, 1_000
    while delivered < 20_000:
        delivered += hold(seed, 20)[0]
        seed += 1

"""What pydantic exports: realistic models, both ways, with reasons that a person can read."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from claude_comm.schema import Compatible, Incompatible, check


class Status(Enum):
    NEW = "new"
    PAID = "paid"


class MoreStatus(Enum):
    NEW = "new"
    PAID = "paid"
    LOST = "lost"


class Address(BaseModel):
    street: str
    zip: Annotated[str, Field(pattern=r"^\d{5}$")]


class LooseAddress(BaseModel):
    street: str
    zip: str | None = None


class Order(BaseModel):
    id: UUID
    at: datetime
    status: Status
    amount: Annotated[float, Field(ge=0)]
    address: Address
    tags: list[str] = []


class OrderSeen(BaseModel):
    id: str
    status: MoreStatus
    amount: float
    address: LooseAddress
    note: str | None = None


class Card(BaseModel):
    kind: Literal["card"]
    number: str


class Cash(BaseModel):
    kind: Literal["cash"]
    given: int


class Cheque(BaseModel):
    kind: Literal["cheque"]
    bank: str


class Folder(BaseModel):
    name: str
    size: int = 0
    inside: list[Folder] = []


class AnyFolder(BaseModel):
    name: str
    size: float | None = None
    inside: list[AnyFolder] = []


Payment = Annotated[Card | Cash, Field(discriminator="kind")]
AnyPayment = Annotated[Card | Cash | Cheque, Field(discriminator="kind")]

PAIRS = {
    "nested, enumerations, datetimes": (Order, OrderSeen),
    "a tagged union": (Payment, AnyPayment),
    "recursive": (Folder, AnyFolder),
    "an optional value": (Address, LooseAddress),
    "lists of models": (list[Order], list[OrderSeen]),
}
SENTENCES = {
    "nested, enumerations, datetimes": "`amount` may be negative; the consumer needs at least 0",
    "recursive": "`size` may be null; the consumer needs an integer",
    "an optional value": "`zip` may be missing; the consumer requires it",
    "lists of models": "`[0].at` may be missing; the consumer requires it",
}


def exported(model: Any) -> dict[str, Any]:
    return TypeAdapter(model).json_schema()


@pytest.mark.parametrize("name", PAIRS)
def test_what_the_narrow_model_sends_the_wide_one_takes(name: str) -> None:
    narrow, wide = (exported(model) for model in PAIRS[name])
    assert isinstance(check(narrow, wide), Compatible)


@pytest.mark.parametrize("name", PAIRS)
def test_what_the_wide_model_sends_the_narrow_one_does_not_take(name: str) -> None:
    narrow, wide = (exported(model) for model in PAIRS[name])
    verdict = check(wide, narrow)
    assert isinstance(verdict, Incompatible)
    if name in SENTENCES:
        assert SENTENCES[name] in {reason.sentence for reason in verdict.reasons}


def test_every_reason_is_named() -> None:
    verdict = check(exported(OrderSeen), exported(Order))
    assert isinstance(verdict, Incompatible)
    assert {"$.status", "$.amount", "$.address.zip", "$.address", "$"} <= {reason.path for reason in verdict.reasons}

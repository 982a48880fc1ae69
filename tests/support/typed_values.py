"""Sixty-odd Python types, of msgspec, of pydantic and plain, with ten values of each.

`deliver` takes a value the way that a delivery takes it: enforced as a publisher does, encoded, and read as a handler
reads it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import ipaddress
import itertools
import pathlib
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Required,
    TypedDict,
    TypeVar,
    get_args,
)

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
from msgspec import UNSET, Meta, Struct, UnsetType
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, SerializeAsAny

from claude_comm.client.payload_types import accepted, produced, reader_of
from claude_comm.client.publisher.enforcement import Enforcement
from claude_comm.envelope import Envelope
from claude_comm.json_form import written
from claude_comm.negotiation.agreement import Answer, Question, conclude
from claude_comm.registry.contracts import Schema
from claude_comm.schema.verdict import Compatible

UTC = dt.UTC
MOMENT = dt.datetime(2020, 2, 29, 1, 2, 3, 4)
AWARE = MOMENT.replace(tzinfo=UTC)
FAR = MOMENT.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5, minutes=-30)))
SOME_UUID = uuid.UUID("12345678-1234-5678-9234-567812345678")


class Order(Struct):
    id: int
    name: str
    at: dt.datetime


class Invoice(Struct, rename="camel", forbid_unknown_fields=True):
    item_id: int
    due: dt.date
    price: Decimal = Decimal(1)


class Row(Struct, array_like=True):
    a: int
    b: str = "x"


class Cat(Struct, tag=True):
    n: int


class Dog(Struct, tag=True):
    n: int
    m: float = 1.5


class Tree(Struct):
    v: int
    kids: list[Tree] = []


class Sparse(Struct, omit_defaults=True):
    a: int = 1
    b: str | None = None


class Unset(Struct):
    a: int | UnsetType = UNSET


class Ping(Struct):
    """Without fields."""


class Closed(Struct, forbid_unknown_fields=True):
    """Without fields, and nothing else."""


T = TypeVar("T")


class Box(Struct, Generic[T]):
    item: T


@dataclasses.dataclass
class Plain:
    a: int
    b: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Counted:
    a: int
    b: int = dataclasses.field(init=False, default=3)


@attrs.define
class Attrs:
    a: int
    b: bytes = b"x"


class Partial(TypedDict, total=False):
    a: Required[int]
    b: str


class Pair(NamedTuple):
    a: int
    b: str = "q"


class Color(enum.Enum):
    RED = "r"
    BLUE = "b"


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


UserId = NewType("UserId", int)


class POrder(BaseModel):
    id: int
    name: str
    at: dt.datetime


class PInvoice(BaseModel):
    model_config = ConfigDict(extra="forbid")
    item_id: int = Field(alias="itemId")
    due: dt.date
    price: Decimal = Decimal(1)


class PCat(BaseModel):
    type: Literal["Cat"] = "Cat"
    n: int


class PDog(BaseModel):
    type: Literal["Dog"] = "Dog"
    n: int
    m: float = 1.5


class PPet(RootModel[Annotated[PCat | PDog, Field(discriminator="type")]]):
    pass


class PTree(BaseModel):
    v: int
    kids: list[PTree] = []


class PStrict(BaseModel):
    model_config = ConfigDict(strict=True)
    a: int
    b: float = 1.0
    c: set[int] = set()
    d: dt.date = dt.date(2020, 1, 1)
    e: dict[int, str] = {}


class PTexts(BaseModel):
    u: uuid.UUID
    ip: ipaddress.IPv4Address
    path: pathlib.Path
    lasts: dt.timedelta
    t: dt.time


class PNumbers(BaseModel):
    a: Annotated[int, Field(ge=0, le=100)]
    f: Annotated[float, Field(gt=0)]
    d: Annotated[Decimal, Field(max_digits=6, decimal_places=2)]


class PStrings(BaseModel):
    s: Annotated[str, Field(pattern=r"^\d+\s$")]
    m: Annotated[str, Field(min_length=1, max_length=5)]


class PBytes(BaseModel):
    b: bytes


class PListed(BaseModel):
    n: Number
    c: Color
    x: Literal[1, "x"]


class PUnions(BaseModel):
    a: int | None = None
    b: int | str = "q"
    c: bool = True


class PContainers(BaseModel):
    x: list[int] = []
    s: frozenset[str] = frozenset()
    t: tuple[int, str] = (1, "a")
    m: dict[int, str] = {}


class PByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    x: int = Field(alias="ax")


class PNames(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="forbid")
    a: int = Field(alias="A")
    b: int = Field(2, validation_alias=pydantic.AliasChoices("b1", "b2"))


class PShort(BaseModel):
    model_config = ConfigDict(str_min_length=1, str_max_length=5)
    a: str = "x"


class PPrices(BaseModel):
    least: Annotated[Decimal, Field(ge=0)]
    more: Annotated[Decimal, Field(gt=Decimal("0.5"), le=100)]
    scaled: Annotated[Decimal, Field(ge=0, max_digits=6, decimal_places=2)]


class PPlainValues(BaseModel):
    model_config = ConfigDict(use_enum_values=True)
    n: Number = Number.ONE
    c: Color = Color.RED


class PSized(BaseModel):
    a: Annotated[set[int], Field(max_length=2)] = set()
    b: Annotated[set[str], Field(min_length=2)] = {"a", "b"}


class PAny(BaseModel):
    x: SerializeAsAny[PUnions] = PUnions()


class PAnyMore(PUnions):
    more: str = "z"


class PForms(BaseModel):
    model_config = ConfigDict(ser_json_timedelta="float", ser_json_bytes="base64", val_json_bytes="base64")
    a: dt.timedelta = dt.timedelta(1, microseconds=5)
    b: bytes = b"ab"


@pydantic.dataclasses.dataclass
class PPlain:
    a: int
    b: dt.timedelta = dt.timedelta(0)


@pydantic.dataclasses.dataclass
class PAliased:
    a: int = pydantic.Field(alias="A")
    b: bytes = b""
    c: PPlain | None = None


class PPrivate(BaseModel):
    a: int
    m: dict[float, int] = {}
    _seen: int = PrivateAttr(0)


class PChecked(BaseModel):
    a: int

    @pydantic.field_validator("a")
    @classmethod
    def positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError("negative")
        return value


def _ten(*values: Any) -> list[Any]:
    return list(itertools.islice(itertools.cycle(values), 10))


VALUES: list[tuple[Any, list[Any]]] = [
    (int, [0, 1, -1, 2**63 - 1, -(2**63), 2**64 - 1, 7, 42, 10**6, -(10**12)]),
    (Annotated[int, Meta(ge=0, le=100)], _ten(0, 100, 5)),
    (float, [0.0, 1.5, -1.0, 1e300, 1e-7, 3.0, 2.5, -0.0, 1e22, 0.1]),
    (bool, _ten(True, False)),
    (str, ["", "a", "é", "x" * 50, "\n", "2020-01-01", "1", "true", "aGk=", "\U0001f600"]),
    (Annotated[str, Meta(min_length=1, max_length=5)], _ten("a", "é", "abcde", "  ", "\n")),
    (Annotated[str, Meta(pattern=r"^\d+\s$")], _ten("1 ", "22\n", "٣ ", "4\t", "5\x1c")),
    (bytes, _ten(b"", b"a", b"ab", b"abc", bytes(range(50)), b"\xff")),
    (bytearray, _ten(bytearray(b"a"))),
    (dt.datetime, _ten(MOMENT, AWARE, FAR, dt.datetime.min, dt.datetime.max)),
    (Annotated[dt.datetime, Meta(tz=True)], _ten(AWARE, FAR)),
    (Annotated[dt.datetime, Meta(tz=False)], _ten(MOMENT)),
    (dt.date, _ten(dt.date(2020, 2, 29), dt.date.min, dt.date.max)),
    (dt.time, _ten(dt.time(1, 2, 3), dt.time(0), dt.time(23, 59, 59, 999_999, tzinfo=UTC))),
    (
        dt.timedelta,
        _ten(
            *(dt.timedelta(0), dt.timedelta.max, dt.timedelta.min, dt.timedelta(microseconds=1)),
            *(dt.timedelta(days=-1, seconds=3), dt.timedelta(days=400), dt.timedelta(hours=5)),
        ),
    ),
    (uuid.UUID, _ten(SOME_UUID, uuid.UUID(int=0))),
    (Decimal, [Decimal(x) for x in ("0", "1.5", "-1E+5", "1E-20", "1" * 30, "0.00", "-0", "1", "2", "3.10")]),
    (type(None), _ten(None)),
    (Any, [1, "a", None, [1], {"a": 1}, 1.5, True, [], {}, "z"]),
    (list[int], _ten([], [1], [1, 2], [3] * 5)),
    (Annotated[list[int], Meta(min_length=1, max_length=3)], _ten([1], [1, 2], [1, 2, 3])),
    (set[int], _ten(set(), {1}, {1, 2})),
    (frozenset[str], _ten(frozenset(), frozenset("ab"))),
    (tuple[int, str], _ten((1, "a"))),
    (tuple[int, ...], _ten((), (1,), (1, 2))),
    (dict[str, int], _ten({}, {"a": 1}, {"b": 2, "": 3})),
    (dict[int, str], _ten({}, {1: "a"}, {-5: "b", 0: "c"})),
    (dict[dt.date, int], _ten({dt.date(2020, 1, 1): 1}, {})),
    (dict[uuid.UUID, int], _ten({SOME_UUID: 1})),
    (Literal["a", "b"], _ten("a", "b")),
    (Literal[1, 2], _ten(1, 2)),
    (Color, _ten(Color.RED, Color.BLUE)),
    (Number, _ten(Number.ONE, Number.TWO)),
    (int | None, _ten(None, 1, 2)),
    (int | str, _ten(1, "a")),
    (int | float, _ten(1, 1.5, 2.0)),
    (UserId, _ten(1, 2)),
    (Order, _ten(Order(1, "a", MOMENT), Order(2, "b", AWARE))),
    (Invoice, _ten(Invoice(1, dt.date(2020, 1, 1)), Invoice(1, dt.date(2020, 1, 1), Decimal("1.50")))),
    (Row, _ten(Row(1), Row(2, "z"))),
    (Cat, _ten(Cat(1))),
    (Cat | None, _ten(Cat(1), None)),
    (Ping, _ten(Ping())),
    (Closed, _ten(Closed())),
    (dict[float, int], _ten({}, {1.5: 1}, {1e300: 2, -1e-7: 3})),
    (dict[Decimal, int], _ten({}, {Decimal("1.5"): 1}, {Decimal("1E+5"): 2})),
    (msgspec.Raw, _ten(msgspec.Raw(b"\x01"), msgspec.Raw(b"\x81\xa1a\x01"))),
    (Cat | Dog, _ten(Cat(1), Dog(2), Dog(3, 4.0))),
    (Tree, _ten(Tree(1), Tree(1, [Tree(2), Tree(3, [Tree(4)])]))),
    (Sparse, _ten(Sparse(), Sparse(2), Sparse(1, "z"))),
    (Unset, _ten(Unset(), Unset(1))),
    (Plain, _ten(Plain(1), Plain(2, ["a"]))),
    (Counted, _ten(Counted(1))),
    (Attrs, _ten(Attrs(1), Attrs(2, b"zz"))),
    (Partial, _ten({"a": 1}, {"a": 1, "b": "z"})),
    (Pair, _ten(Pair(1), Pair(2, "w"))),
    (Box[int], _ten(Box(1))),
    (Box[str], _ten(Box("a"))),
    (list[Order], _ten([], [Order(1, "a", MOMENT)])),
    (dict[str, list[int | None]], _ten({}, {"a": [1, None]})),
    (POrder, _ten(POrder(id=1, name="a", at=MOMENT), POrder(id=1, name="b", at=AWARE))),
    (
        PInvoice,
        _ten(PInvoice(itemId=1, due=dt.date(2020, 1, 1)), PInvoice(itemId=2, due=dt.date.max, price=Decimal(2))),
    ),
    (PCat, _ten(PCat(n=1))),
    (PPet, _ten(PPet(PCat(n=1)), PPet(PDog(n=1)))),
    (PTree, _ten(PTree(v=1), PTree(v=1, kids=[PTree(v=2, kids=[PTree(v=3)])]))),
    (PStrict, _ten(PStrict(a=1), PStrict(a=2, c={1, 2}, e={1: "a"}))),
    (
        PTexts,
        _ten(
            *(
                PTexts(u=SOME_UUID, ip=ipaddress.IPv4Address(ip), path=pathlib.Path("/a"), lasts=lasts, t=dt.time(1, 2))
                for ip, lasts in (("1.2.3.4", dt.timedelta(days=400, seconds=5)), ("255.0.0.1", dt.timedelta(-4, 5.5)))
            )
        ),
    ),
    (PNumbers, _ten(PNumbers(a=1, f=1.5, d=Decimal("12.5")), PNumbers(a=100, f=1, d=Decimal("-9999.99")))),
    (PStrings, _ten(PStrings(s="1 ", m="a"), PStrings(s="٣ ", m="abcde"))),
    (PBytes, _ten(PBytes(b=b"hi"), PBytes(b="é".encode()))),
    (PListed, _ten(PListed(n=Number.ONE, c=Color.RED, x=1), PListed(n=Number.TWO, c=Color.BLUE, x="x"))),
    (PUnions, _ten(PUnions(), PUnions(a=1, b=3, c=False))),
    (PContainers, _ten(PContainers(), PContainers(x=[1], s=frozenset("a"), m={3: "z"}))),
    (PByName, _ten(PByName(ax=1))),
    (PNames, _ten(PNames(A=1))),
    (PShort, _ten(PShort(), PShort(a="abcde"))),
    (
        PPrices,
        _ten(
            *(
                PPrices(least=Decimal(least), more=Decimal(more), scaled=Decimal(scaled))
                for least, more, scaled in (("0", "0.51", "0.10"), ("-0.0", "1E+2", "9999.99"), ("1E-9", "99.999", "0"))
            )
        ),
    ),
    (PPlainValues, _ten(PPlainValues(), PPlainValues(n=Number.TWO, c=Color.BLUE))),
    (PSized, _ten(PSized(), PSized(a={1, 2}, b={"a", "b", "c"}))),
    (PAny, _ten(PAny(), PAny(x=PAnyMore()))),
    (PForms, _ten(PForms(), PForms(a=dt.timedelta(days=-400), b=bytes(range(200, 256))))),
    (Annotated[float, Field(gt=0)], _ten(0.5, 3.0)),
    (PPlain, _ten(PPlain(a=1), PPlain(a=2, b=dt.timedelta(1)))),
    (PAliased, _ten(PAliased(A=1), PAliased(A=2, b=b"x", c=PPlain(a=1)))),
    (dict[str, PAliased], _ten({}, {"k": PAliased(A=1, c=PPlain(a=2, b=dt.timedelta(1)))})),
    (list[PPlain], _ten([], [PPlain(a=1, b=dt.timedelta(2))])),
    (list[POrder], _ten([], [POrder(id=1, name="a", at=MOMENT)])),
    (POrder | None, _ten(None, POrder(id=1, name="a", at=MOMENT))),
    (Annotated[str, Field(min_length=2)], _ten("ab", "abc")),
    (PPrivate, _ten(PPrivate(a=1), PPrivate(a=2, m={1.5: 1, 1e300: 2, -1e-7: 3, 1e16: 4}))),
    (PChecked, _ten(PChecked(a=1))),
]


def name_of(shape: Any) -> str:
    plain = isinstance(shape, type) and not get_args(shape)
    return shape.__name__ if plain else str(shape).replace("typing.", "").replace(f"{__name__}.", "")


@functools.cache
def schemas_of(at: int) -> tuple[Schema, Schema]:
    """What the type at that place produces, and what it accepts."""
    shape = VALUES[at][0]
    return produced(shape), accepted(shape)


def sender(sent: Schema) -> Callable[[object], tuple[str, object]]:
    """What a publisher does to a payload before it is sent under an agreement."""
    question = Question(producer="a", consumer="b", produced=sent, accepted=True)
    enforcement = Enforcement()
    enforcement.hold(conclude(question, Answer(verdict=Compatible(proof="given")), decided_by="caller", decided_us=1))
    return lambda payload: enforcement.check("b", question.type, payload)


def deliver(payload: object, send: Callable[[object], tuple[str, object]], shape: Any) -> Any:
    """The value that a handler of that type is given."""
    agreement, data = send(payload)
    return take(data, shape, agreement)


def take(data: Any, shape: Any, agreement: str = "sample") -> Any:
    raw = data if isinstance(data, msgspec.Raw) else written(data)
    return reader_of(shape)(Envelope(id="m", source="a", target="b", time=1, agreement=agreement, data=raw))

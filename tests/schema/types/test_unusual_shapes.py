"""Types that people write more rarely: what their schema refuses no decoder takes, and what it accepts the decoder
takes, or it says that code decides."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest
import typing_extensions
from msgspec import Meta, Struct
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag
from pydantic_core import core_schema

from claude_comm.client.payload_types import accepted, produced
from claude_comm.errors import SchemaError
from claude_comm.schema.opaque import code_in
from claude_comm.schema.validation.validator import compile_validator
from tests.support.certain import takes


class ByPath(BaseModel):
    n: int = Field(validation_alias=AliasPath("deep", "n"))


class ByChoice(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    n: int = Field(validation_alias=AliasChoices("m", "count"))


class ByChoiceOrPath(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int = Field(default=0, validation_alias=AliasChoices("m", AliasPath("deep", 0)))


class TypedExtras(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]
    n: int


class OwnInit(BaseModel):
    n: int

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)


class AfterInit(BaseModel):
    n: int

    def model_post_init(self, _context: Any) -> None:
        if self.n > 5:
            raise ValueError("too many")


class Validated(BaseModel):
    n: int
    m: int = 1
    k: int = 1

    @pydantic.field_validator("n", mode="before")
    @classmethod
    def before(cls, value: Any) -> Any:
        return value

    @pydantic.field_validator("m", mode="wrap")
    @classmethod
    def around(cls, value: Any, handler: Any) -> Any:
        return handler(value)

    @pydantic.field_validator("k", mode="plain")
    @classmethod
    def alone(cls, value: Any) -> Any:
        return int(value)


def kind_of(value: Any) -> str:
    return "text" if isinstance(value, str) else "number"


ByFunction = Annotated[
    Annotated[str, Tag("text")] | Annotated[int, Tag("number")],
    Discriminator(kind_of),
]


class Unwritable(BaseModel):
    n: Any = Field(default=object)


class Point(NamedTuple):
    x: int
    y: int = 0


class ByChoiceRow(NamedTuple):
    n: Annotated[int, Field(validation_alias=AliasChoices("m", "count"))]


class ByPathRow(NamedTuple):
    n: Annotated[int, Field(validation_alias=AliasPath("deep", 0))]


class Movie(TypedDict):
    title: str


class Flags(enum.Flag):
    A = 1
    B = 2


class FirstThenMany:
    """Pydantic has no spelling for such a tuple, and its core reads it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        return core_schema.tuple_schema([core_schema.int_schema(), core_schema.str_schema()], variadic_item_index=1)


class ManyThenLast:
    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        return core_schema.tuple_schema([core_schema.int_schema(), core_schema.str_schema()], variadic_item_index=0)


class Chained:
    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        return core_schema.chain_schema([core_schema.int_schema(), core_schema.int_schema(ge=2)])


class Missing(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.A


class TaggedRow(Struct, array_like=True, tag="row", forbid_unknown_fields=True):
    n: int
    m: int = 0


class OtherRow(Struct, array_like=True, tag="other"):
    n: str


class Defaulted(Struct):
    n: Any = object()


@dataclasses.dataclass
class Holder:
    items: set[frozenset[int]]


@dataclasses.dataclass(frozen=True)
class Frozen:
    n: int


@dataclasses.dataclass
class Mutable:
    n: int


class Even(Struct):
    """Two types that hold each other, of which the first is the whole."""

    odd: Odd | None = None


class Odd(Struct):
    even: Even | None = None


class Twig(Struct, frozen=True):
    twigs: tuple[Twig, ...] = ()


class Bare(Struct):
    n: int = 0


class NoRow(Struct, array_like=True):
    pass


@pydantic.dataclasses.dataclass
class NotGiven:
    n: int
    m: int = pydantic.dataclasses.Field(default=1, init=False)


class Wide(typing_extensions.TypedDict, total=False):
    title: str
    n: int


class Ratio(float, enum.Enum):
    HALF = 0.5


class Whatever(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.A


def of(shape: Any, **config: Any) -> Any:
    """A model whose only field has that type, under this configuration."""
    return pydantic.create_model("Of", __config__=ConfigDict(**config), n=(shape, ...))


def core(schema: Any) -> Any:
    """A type that pydantic's core reads by this schema."""
    hook = classmethod(lambda _cls, _source, _handler: schema)
    return RootModel[type("Core", (), {"__get_pydantic_core_schema__": hook})]


INSTANCES: list[Any] = [
    *(None, True, 0, 1, 7, -3, 1.5, 0.5, "", "a", "1", "7", "-0", "a b", "row", "1.5", "::1", "1.2.3.4"),
    *([], [1], [1, 1], ["row", 1], ["row", 1, 2], ["row", 1, 2, 3], ["other", "x"], [[1]], [1, "a", "b"], ["a"]),
    *({}, {"n": 1}, {"n": 7}, {"n": "1"}, {"m": 1}, {"count": 2}, {"m": "x"}, {"deep": {"n": 1}}, {"deep": [3]}),
    *({"n": 1, "x": 2}, {"n": 1, "x": "two"}, {"n": 1, "m": 2}, {"1": 1}, {"2": 1}, {"a": 1}, {"1.5": 1}, {"true": 1}),
    *({"x": 1}, {"x": 1, "y": 2}, {"x": 1, "z": 2}, {"title": "t"}, {"title": 1}, {"items": [[1], [1]]}, {"": 1}),
]

SHAPES: list[Any] = [
    *(ByPath, ByChoice, ByChoiceOrPath, TypedExtras, OwnInit, AfterInit, Validated, Unwritable, Point, Movie),
    *(RootModel[list[int]], RootModel[Point], RootModel[ByChoiceRow], RootModel[ByPathRow]),
    RootModel[pydantic.HttpUrl],
    *(RootModel[pydantic.SecretStr], RootModel[pydantic.InstanceOf[ByPath]]),
    pydantic.conset(int, min_length=2, max_length=3),
    pydantic.conset(float, min_length=2),
    RootModel[ByFunction],
    *(RootModel[set[Any]], RootModel[FirstThenMany], RootModel[ManyThenLast], RootModel[Chained]),
    *(RootModel[tuple[()]], RootModel[dict[int, int]], RootModel[dict[Annotated[int, Field(ge=2)], int]]),
    *(RootModel[dict[bool, int]], RootModel[dict[Literal["a", "1"], int]], RootModel[dict[int | None, int]]),
    *(RootModel[dict[tuple[int, int], int]], RootModel[ipaddress.IPv4Address], RootModel[ipaddress.IPv6Address]),
    *(RootModel[Annotated[int, pydantic.AfterValidator(abs)]], RootModel[Annotated[str, Field(pattern=r"a\b")]]),
    *(RootModel[float | Flags], RootModel[Annotated[str, pydantic.StringConstraints(to_upper=True, max_length=2)]]),
    *(TaggedRow, TaggedRow | OtherRow, Defaulted, Holder, set[Frozen], set[Any], tuple[()], Flags, Missing),
    *(Annotated[float, Meta(multiple_of=0.5)], Annotated[float, Meta(multiple_of=0.1)]),
    Annotated[str, Meta(pattern=r"a\b")],
    *(dict[Annotated[int, Meta(ge=2, lt=9)], int], dict[Annotated[int, Meta(gt=0, le=9, multiple_of=2)], int]),
    *(dict[float, int], dict[Annotated[float, Meta(gt=1)], int], dict[Decimal, int], dict[Literal["a", 1], int]),
    *(Even, set[Twig], set[Bare], set[Mutable], NoRow, NotGiven),
    *(RootModel[Wide], RootModel[Ratio], RootModel[Whatever]),
    *(of(Annotated[int, Field(multiple_of=2)]), of(Annotated[int, Field(ge=3, le=2)])),
    *(of(Annotated[float, Field(multiple_of=0.5)]), of(Annotated[float, Field(ge=1e-320)])),
    *(of(Annotated[Decimal, Field(max_digits=1, decimal_places=2)]), of(Annotated[Decimal, Field(decimal_places=1)])),
    *(of(Annotated[Decimal, Field(multiple_of=2, decimal_places=1)]), of(float, allow_inf_nan=False)),
    *(of(Annotated[str, Field(max_length=2)], str_strip_whitespace=True), of(str, coerce_numbers_to_str=True)),
    *(of(Annotated[bytes, Field(max_length=1)]), of(dict[str, Any]), of(set[float]), of(ipaddress.IPv4Interface)),
    *(core(core_schema.str_schema(ascii_only=True)), core(core_schema.dict_schema())),
    *(core(core_schema.complex_schema()), core(core_schema.any_schema())),
    *(core(core_schema.typed_dict_schema({"n": core_schema.typed_dict_field(core_schema.int_schema())})), of(Wide)),
    *(dict[int | str, int], Annotated[int, Meta(ge=2)] | Annotated[float, Meta(le=1)], set[tuple[int, ...]]),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(getattr(shape, "__name__", shape))[:60])
def test_a_schema_refuses_what_the_decoder_refuses_or_says_that_code_decides(shape: Any) -> None:
    schema = accepted(shape)
    validator, code = compile_validator(schema), code_in(schema)
    for instance in INSTANCES:
        valid, taken = not validator.validate(instance), takes(instance, shape)
        assert valid or not taken, (instance, schema)
        assert taken or code or not valid, (instance, schema)


class Written(BaseModel):
    n: int = Field(serialization_alias="count")
    hidden: str = Field(default="x", exclude=True)
    at: Annotated[int, pydantic.PlainSerializer(str, return_type=str)] = 1
    to: Annotated[int, pydantic.PlainSerializer(lambda value: [value])] = 1
    ip: ipaddress.IPv4Address = ipaddress.IPv4Address("1.2.3.4")
    any: pydantic.SerializeAsAny[Point] = Point(1)
    model: pydantic.SerializeAsAny[ByPath] | None = None

    @pydantic.computed_field(alias="double")  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.n

    @pydantic.field_serializer("to")
    def as_list(self, value: int) -> Any:
        return [value]


class Coded(BaseModel):
    """Serialisers of each kind that pydantic has."""

    n: int
    text: Annotated[int, pydantic.PlainSerializer(str)] = 1
    written: Annotated[int, pydantic.WithJsonSchema({})] = 1
    around: Annotated[int, pydantic.WrapSerializer(lambda value, handler: handler(value))] = 1
    seldom: Annotated[int | None, pydantic.PlainSerializer(str, return_type=str, when_used="json-unless-none")] = None
    left: int = Field(default=1, exclude_if=lambda value: value == 1)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int]


VALUES: list[tuple[Any, Any]] = [
    (Written, Written(n=1)),
    (Open, Open(a=1)),
    (Point, Point(1, 2)),
    (TaggedRow, TaggedRow(1)),
    (Flags, Flags.A),
    (RootModel[dict[int, int]], RootModel[dict[int, int]]({1: 2})),
    (RootModel[dict[bool, int]], RootModel[dict[bool, int]]({True: 2})),
    (RootModel[dict[float, int]], RootModel[dict[float, int]]({1.5: 2})),
    (RootModel[ByFunction], RootModel[ByFunction]("a")),
    (RootModel[set[int]], RootModel[set[int]]({1, 2})),
    (dict[float, int], {1.5: 1}),
    (dict[Decimal, int], {Decimal("1.5"): 1}),
    (Annotated[float, Meta(multiple_of=0.1)], 0.3),
    (Annotated[str, Meta(pattern=r"a\b")], "a"),
    (set[int], {1, 2}),
    (NoRow, NoRow()),
    (Validated, Validated(n=1)),
    (Coded, Coded(n=1)),
    (RootModel[Point], RootModel[Point](Point(1, 2))),
    (RootModel[Wide], RootModel[Wide]({"title": "t"})),
]


@pytest.mark.parametrize(("shape", "value"), VALUES, ids=str)
def test_what_is_written_fits_the_schema_of_its_type(shape: Any, value: Any) -> None:
    if isinstance(value, BaseModel):
        written = value.model_dump(mode="json", by_alias=True)
    else:
        written = msgspec.to_builtins(value, str_keys=True, builtin_types=())
    written = msgspec.json.decode(msgspec.json.encode(written))
    assert compile_validator(produced(shape)).validate(written) == []


class Unknown:
    pass


@pytest.mark.parametrize("shape", [Unknown, "NoSuchName", dict[str, Unknown], RootModel["NoSuchName"]])
def test_a_type_that_nobody_knows_is_refused(shape: Any) -> None:
    with pytest.raises(SchemaError):
        accepted(shape)


def test_a_rule_that_an_author_adds_holds_beside_the_words_of_the_type() -> None:
    schema = accepted(Annotated[str, Meta(extra_json_schema={"maxLength": 1, "title": "t"})])
    assert (schema["title"], schema["allOf"]) == ("t", [{"maxLength": 1}])

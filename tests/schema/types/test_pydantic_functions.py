"""Validators and serialisers that are functions, as core schemas of a user's own types have them."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from pydantic._internal._serializers import serialize_sequence_via_list
from pydantic_core import core_schema
from typing_extensions import TypeAliasType

from claude_comm.errors import SchemaError
from claude_comm.schema.opaque import code_in
from claude_comm.schema.types.exact import accepts, produces
from claude_comm.schema.types.samples import Sampler
from claude_comm.schema.validation.validator import compile_validator

NUMBER = core_schema.int_schema()


def own(schema: Any) -> Any:
    """A model with a field whose type has this core schema."""

    class Own:
        @classmethod
        def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
            return schema

    return type("Holder", (BaseModel,), {"__annotations__": {"v": Own}})


def field(schema: Any) -> Any:
    return schema["properties"]["v"]


def test_what_is_written_as_text_is_text() -> None:
    text = core_schema.int_schema(serialization=core_schema.to_string_ser_schema())
    assert field(produces(own(text))) == {"type": "string"}


def test_a_serialiser_of_pydantics_own_writes_what_its_schema_says() -> None:
    wrapped = core_schema.wrap_serializer_function_ser_schema(
        serialize_sequence_via_list, schema=core_schema.any_schema()
    )
    listed = core_schema.list_schema(NUMBER, serialization=wrapped)
    written = field(produces(own(listed)))
    assert (written["type"], written["items"]["type"]) == ("array", "integer")


def test_a_validator_that_makes_an_address_takes_its_text() -> None:
    address = core_schema.no_info_after_validator_function(ipaddress.IPv4Address, core_schema.str_schema())
    taken = compile_validator(accepts(own(address)))
    assert taken.accepts({"v": "127.0.0.1"})
    assert not taken.accepts({"v": "localhost"})


def test_a_validator_that_is_all_there_is_takes_what_nobody_knows_and_writes_anything() -> None:
    plain = own(core_schema.no_info_plain_validator_function(lambda value: value))
    assert code_in(accepts(plain)) is not None
    assert field(produces(plain)) == {}


@pytest.mark.parametrize("messages", [[{"v": [0.5, 1.5]}]])
def test_a_set_of_decimals_leaves_its_length_to_code(messages: list[Any]) -> None:
    """Two that differ as JSON may be read as one number."""

    class Holder(BaseModel):
        v: Annotated[set[float], Field(min_length=2)]

    assert code_in(accepts(Holder)) is not None
    assert all(compile_validator(produces(Holder)).accepts(message) for message in messages)


Tree = TypeAliasType("Tree", "int | list[Tree]")


def test_an_alias_that_refers_to_itself_is_a_definition() -> None:
    class Holder(BaseModel):
        v: Tree

    taken = compile_validator(accepts(Holder))
    assert [*accepts(Holder)["$defs"]] == ["Tree"]
    assert taken.accepts({"v": [1, [2, [3]]]})
    assert not taken.accepts({"v": [1, ["x"]]})


def test_a_sample_of_a_constant_is_the_constant() -> None:
    assert Sampler({}, lambda _: 0).value({"const": [5]}, 0) == [5]


def test_a_model_that_waits_for_a_name_is_refused_by_what_pydantic_says() -> None:
    class Waiting(BaseModel):
        v: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(SchemaError, match=r"^pydantic makes no schema of .*Waiting.*: .*not fully defined"):
        accepts(Waiting)

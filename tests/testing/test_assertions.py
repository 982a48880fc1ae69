"""Assertions about contracts hold from a proof alone, and fail with the witness and each reason."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pydantic
import pytest

from claude_comm import Context, Module, testing
from claude_comm.client.module.self_check import ContractNotKept
from claude_comm.registry.contracts import contract
from claude_comm.testing import assert_compatible, assert_contract


class Found(msgspec.Struct):
    number: int
    text: str = ""


class Strict(msgspec.Struct):
    number: int
    language: str


@dataclass
class Wide:
    number: float


class Positive(pydantic.BaseModel):
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def positive(cls, value: int) -> int:
        assert value > 0
        return value


def extractor(shape: type = Found, **declared: str) -> Module:
    module = Module("extractor")
    module.produces("found", shape, **declared)
    return module


def indexer(shape: type) -> Module:
    module = Module("indexer")

    def index(found: object, context: Context) -> None: ...

    index.__annotations__["found"] = shape
    module.handles("found")(index)
    return module


@pytest.mark.parametrize("declared", [{}, {"target": "indexer"}])
def test_two_modules_that_fit_pass(declared: dict[str, str]) -> None:
    assert_compatible(extractor(**declared), indexer(Found))
    assert_compatible(extractor(**declared), indexer(Wide), type="found")


def test_two_that_do_not_fit_fail_with_the_witness_and_the_reason() -> None:
    with pytest.raises(AssertionError) as failed:
        assert_compatible(extractor(target="indexer"), indexer(Strict))
    text = str(failed.value)
    assert "'found' messages of extractor do not fit indexer" in text
    assert '"number": 0' in text
    assert "language" in text
    assert "make " in text or "language" in text


def test_types_schemas_and_contracts_are_compared_as_modules_are() -> None:
    assert_compatible(Found, Wide)
    assert_compatible({"type": "integer"}, {"type": "number"})
    assert_compatible(Found, contract("reader", accepts={"found": {"type": "object"}}))
    with pytest.raises(AssertionError, match=r"0\.5"):
        assert_compatible({"type": "number"}, {"type": "integer"})


def test_an_adapter_that_takes_no_guess_is_named_and_taken_on_demand() -> None:
    old, new = (
        {"type": "object", "properties": {"cost": {"type": "integer"}}, "required": ["cost"]},
        contract(
            "shop",
            accepts={"order": {"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]}},
            aliases={"order": {"price": ["cost"]}},
        ),
    )
    with pytest.raises(AssertionError, match='`adapters="allow"`'):
        assert_compatible(old, new)
    assert_compatible(old, new, adapters="allow")


def test_a_module_that_declares_nothing_for_the_other_fails() -> None:
    with pytest.raises(AssertionError, match="declares no message that it sends to indexer"):
        assert_compatible(extractor(target="elsewhere"), indexer(Found))
    with pytest.raises(AssertionError, match="'lost'"):
        assert_compatible(extractor(), indexer(Found), type="lost")


def test_what_cannot_be_decided_fails() -> None:
    hard = {"type": "string", "pattern": "^(a+)+\\1$"}
    with pytest.raises(AssertionError):
        assert_compatible({"type": "string"}, hard)


def test_a_module_that_keeps_its_contract_passes() -> None:
    assert_contract(indexer(Found))


def test_a_module_whose_contract_says_more_than_its_type_takes_fails() -> None:
    module = Module("reader")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ContractNotKept)

        @module.handles("page", accepts={"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
        def read(page: Positive) -> None: ...

    with pytest.raises(AssertionError, match="'reader' does not keep its contract") as failed:
        assert_contract(module)
    assert "are not decoded" in str(failed.value)


def test_what_a_module_can_never_send_fails() -> None:
    module = Module("mute")
    module.produces("found", {"type": "integer", "minimum": 3, "maximum": 2})
    with pytest.raises(AssertionError, match="'found' message that it declares to send cannot exist"):
        assert_contract(module)


def test_no_public_name_is_that_of_a_file_beside_it() -> None:
    """Importing the file would put it in the place of the name."""
    assert not {path.stem for path in Path(testing.__file__).parent.glob("*.py")} & set(testing.__all__)

"""Documents that a schema refers to, handed over and never fetched."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from claude_comm.errors import ConfigurationError, SchemaError
from claude_comm.schema import Compatible, Incompatible, bundle, check, diff
from claude_comm.schema.dialect import URI, Dialect

COMMON, MONEY = "https://example.com/common.json", "https://example.com/money.json"


def given(dialect: Dialect) -> dict[str, Any]:
    price = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}
    common = {"$schema": URI[dialect], "definitions": {"price": {"$ref": "money.json"}, "id": {"type": "string"}}}
    return {COMMON: common, MONEY: price, "https://example.com/unused.json": {"type": "null"}}


def order(dialect: Dialect) -> dict[str, Any]:
    return {
        "$schema": URI[dialect],
        "type": "object",
        "properties": {name: {"$ref": f"{COMMON}#/definitions/{name}"} for name in ("price", "id")},
        "required": ["price"],
    }


def inline(cents: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"price": {"type": "object", "properties": {"cents": cents}}}}


@pytest.mark.parametrize("policy", ["strict", "closed-producer"])
@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_a_reference_leads_to_a_document_that_was_handed_over(dialect: Dialect, policy: Any) -> None:
    documents = given(dialect)
    fits = check(order(dialect), inline({"type": "number"}), policy=policy, documents=documents)
    assert isinstance(fits, Compatible), fits
    refused = check(order(dialect), inline({"type": "string"}), policy=policy, documents=documents)
    assert isinstance(refused, Incompatible)
    assert isinstance(refused.witness["price"]["cents"], int)
    assert isinstance(check(order(dialect), order(dialect), policy=policy, documents=documents), Compatible)


def test_nothing_else_is_ever_fetched() -> None:
    with pytest.raises(SchemaError, match="leads nowhere"):
        check(order("draft2020-12"), True)


def test_relative_addresses_are_those_of_the_documents() -> None:
    verdict = check({"$ref": "common.json"}, {"type": "string"}, documents={"common.json": {"type": "integer"}})
    assert isinstance(verdict, Incompatible)


def test_documents_that_nobody_refers_to_are_left_out() -> None:
    bundled = bundle(order("draft2020-12"), given("draft2020-12"))
    assert set(bundled["$defs"]) == {COMMON, MONEY}
    assert bundle({"type": "object"}, given("draft2020-12")) == {"type": "object"}


def test_a_document_that_is_no_schema_is_refused_by_its_address() -> None:
    with pytest.raises(ConfigurationError, match=r"common\.json"):
        check({"$ref": "common.json"}, True, documents={"common.json": [1]})


def test_a_diff_reads_them_too() -> None:
    new = {**order("draft2020-12"), "required": ["price", "id"]}
    difference = diff(order("draft2020-12"), new, documents=given("draft2020-12"))
    assert [change.rule for change in difference.changes] == ["required"]


def test_a_document_that_is_referred_to_and_is_no_object_is_refused_by_its_address() -> None:
    with pytest.raises(SchemaError, match=r"common\.json"):
        bundle({"$ref": COMMON}, {COMMON: True})


def test_a_definition_that_is_called_like_a_document_stays() -> None:
    schema = {"$ref": COMMON, "$defs": {COMMON: {"type": "integer"}}}
    whole: Any = bundle(schema, {COMMON: {"type": "string"}})
    assert whole["$defs"][COMMON] == {"type": "integer"}
    assert whole["$defs"][f"{COMMON}'"]["type"] == "string"


def test_a_reference_is_read_from_the_address_of_the_schema_that_it_stands_in() -> None:
    inner = {"$id": "https://example.com/deep/inner.json", "$ref": "../common.json"}
    whole: Any = bundle(
        {"$defs": {"inner": inner}, "properties": {"$ref": {"type": "string"}}}, {COMMON: {"title": "t"}}
    )
    assert whole["$defs"][COMMON]["title"] == "t"


def test_a_reference_that_is_no_text_leads_to_no_document() -> None:
    """Under a keyword that nobody knows, anything may stand."""
    schema = {"$ref": COMMON, "x-note": {"$ref": 5}}
    assert list(bundle(schema, given("draft2020-12"))["$defs"]) == [COMMON, MONEY]


def test_what_is_no_object_refers_to_nothing() -> None:
    assert bundle(True, given("draft2020-12")) is True
    assert bundle({"$ref": COMMON}, {}) == {"$ref": COMMON}


UNKNOWN = "https://example.com/nobody-has-it.json"


@pytest.mark.parametrize("references", [(COMMON, UNKNOWN), (UNKNOWN, COMMON)])
def test_what_was_not_handed_over_does_not_keep_the_rest_away(references: tuple[str, str]) -> None:
    schema = {"allOf": [{"$ref": reference} for reference in references]}
    assert COMMON in bundle(schema, given("draft2020-12"))["$defs"]


@pytest.mark.parametrize(("dialect", "is_told"), [("draft2020-12", False), ("draft7", True)])
def test_a_document_tells_its_dialect_where_that_is_another(dialect: Dialect, is_told: bool) -> None:
    document = {"$schema": URI[dialect], "type": "string"}
    (embedded,) = bundle({"$ref": COMMON}, {COMMON: document})["$defs"].values()
    assert ("$schema" in embedded) is is_told
    assert embedded["$id"] == COMMON


@pytest.mark.parametrize("note", [[{"$ref": 5}], {"a": ["b"]}, ["$ref"]])
def test_under_a_keyword_that_nobody_knows_anything_may_stand(note: Any) -> None:
    schema = {"$ref": COMMON, "x-note": note, "const": {"$ref": UNKNOWN}}
    assert list(bundle(schema, {COMMON: {}})["$defs"]) == [COMMON]


@pytest.mark.parametrize("identifier", [{}, {"$id": "http://["}])
def test_an_address_that_is_none_is_left_to_the_validator(identifier: Any) -> None:
    schema = {"properties": {"a": {**identifier, "$ref": "http://["}}}
    assert bundle(schema, given("draft2020-12")) == schema

"""How a comparison ends: with a witness, with what is empty besides, or undecided with the reason."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, Undecided
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.containment.check import check
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json

# The package has a function of that name.
checking = importlib.import_module("claude_comm.schema.containment.check")
NULL, TEXT = {"type": "null"}, {"type": "string"}
NEVER: Json = {"type": "array", "minItems": 2, "maxItems": 1}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (SchemaError("too many"), "a message cannot be put to the closed form of the produced schema: too many"),
        (OutOfBudget(), "not settled within 2000 ms."),
        (RecursionError(), "the schemas are nested too deep to be followed."),
    ],
    ids=["closing", "time", "depth"],
)
def test_what_ends_a_comparison_leaves_it_undecided(
    error: Exception, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(*_: object) -> None:
        raise error

    monkeypatch.setattr(checking, "_settle", ending)
    verdict = check(TEXT, NULL)
    assert isinstance(verdict, Undecided)
    assert (verdict.place, verdict.why.removesuffix("\n")) == ("", why)


@pytest.mark.parametrize("side", ["produced", "accepted"])
def test_the_side_that_is_too_large_is_named(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = checking.side_of

    def side_of(schema: Json, *more: Any) -> object:
        if schema == NULL:
            raise OutOfBudget
        return made(schema, *more)

    monkeypatch.setattr(checking, "side_of", side_of)
    verdict = check(NULL, TEXT) if side == "produced" else check(TEXT, NULL)
    assert verdict == Undecided(place="", why=f"the {side} schema is too large to be made ready within 2000 ms.")


@pytest.mark.parametrize("side", [0, 1])
def test_a_schema_that_is_none_is_refused(side: int) -> None:
    with pytest.raises(SchemaError):
        check(*[({"type": "no type"}, NULL), (NULL, {"type": "no type"})][side])


def test_forms_that_can_never_be_are_named_where_that_is_asked() -> None:
    union: Json = {"anyOf": [NULL, NEVER]}
    for produced, accepted in ((NULL, union), (TEXT, union)):
        asked = check(produced, accepted, name_empty_forms=True)
        assert isinstance(asked, Compatible | Incompatible)
        assert len(asked.empty_forms) == 1
        plain = check(produced, accepted)
        assert isinstance(plain, Compatible | Incompatible)
        assert not plain.empty_forms


def test_where_everything_is_empty_no_form_is_named() -> None:
    none: Json = {"anyOf": [NEVER, NEVER]}
    refused = check(NULL, none, name_empty_forms=True)
    assert isinstance(refused, Incompatible)
    assert (bool(refused.refuses_all), refused.empty_forms) == (True, ())
    vacuous = check(none, NULL, policy="strict", name_empty_forms=True)
    assert isinstance(vacuous, Compatible)
    assert (bool(vacuous.vacuous), vacuous.empty_forms) == (True, ())


def test_a_verdict_without_such_forms_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(NULL, NULL, name_empty_forms=True) == check(NULL, NULL)
    undecided = Undecided(place="/a", why="b")
    monkeypatch.setattr(checking, "_settle", lambda *_: undecided)
    assert check(TEXT, NULL, name_empty_forms=True) == undecided


def test_of_listed_messages_the_first_that_breaks_is_the_witness() -> None:
    verdict = check({"enum": [1, "b", "a", None]}, {"type": "integer"})
    assert isinstance(verdict, Incompatible)
    assert verdict.witness == "b"
    assert len(verdict.reasons) >= 1


def test_what_is_not_refuted_within_its_steps_is_not_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(*_: object) -> None:
        raise RecursionError

    ours, theirs = (
        Document(schema=schema, origins={}, opaque=False, lexical=False, dynamic=False) for schema in (NULL, TEXT)
    )
    assert checking._refuted_soon(ours, ours, Budget(1_000, None)) is True
    assert checking._refuted_soon(ours, theirs, Budget(1_000, None)) is False
    monkeypatch.setattr(checking, "refute", deep)
    assert checking._refuted_soon(ours, ours, Budget(1_000, None)) is False

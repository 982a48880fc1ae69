"""How a comparison ends: with a witness, with what is empty besides, or undecided with the reason."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema import Compatible, Incompatible, Undecided
from claude_comm.schema.budget import Budget, OutOfBudget
from claude_comm.schema.containment import canonical
from claude_comm.schema.containment.check import check
from claude_comm.schema.containment.confirm import Side
from claude_comm.schema.containment.residual import residual
from claude_comm.schema.containment.sides import side_of
from claude_comm.schema.dialect import DEFAULT, URI
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.solver.result import Unknown
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


NUMBER: Json = {"type": "object", "properties": {"a": {"type": "number"}}}
FROM_3: Json = {"properties": {"a": {"minimum": 3}}}


def fresh(schema: Json) -> Side:
    """A side of its own: what is derived from it is seen."""
    return msgspec.structs.replace(side_of(schema, DEFAULT, lambda: None))


def searched(produced: Side, accepted: Side) -> Any:
    """The search for a closed producer."""
    left, document = produced.closed, accepted.document
    rest, unclosed = residual(left.document, document), residual(produced.document, document)
    return checking._searched(left, accepted, left.document, rest, Budget(60_000), (produced, unclosed))


@pytest.fixture
def without_a_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_guided", lambda *_: None)


@pytest.fixture
def without_the_first_stages(without_a_guide: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "proves", lambda *_: None)
    monkeypatch.setattr(checking, "_refuted_soon", lambda *_: False)
    monkeypatch.setattr(checking, "_broken", lambda *_: None)


@pytest.mark.usefixtures("without_a_guide")
@pytest.mark.parametrize("proved", ["closed", "written"])
def test_canonical_forms_prove_it_of_the_closed_schema_or_of_the_one_that_was_written(
    proved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    produced, accepted = fresh(NUMBER), fresh(FROM_3)
    form = (produced.closed if proved == "closed" else produced).canonical
    assert form is not None
    monkeypatch.setattr(canonical, "proves", lambda ours, _: True if ours is form else None)
    assert searched(produced, accepted) == "canonical forms"


def test_where_the_closed_schema_leads_to_no_message_the_one_that_was_written_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    produced, accepted, verdict = fresh(NUMBER), fresh(FROM_3), object()
    asked: list[Any] = []

    def guided(_left: Side, _right: Side, sent: Document, rest: Json, _budget: Budget) -> object:
        asked.append((sent, rest))
        return verdict if len(asked) == 2 else None

    monkeypatch.setattr(checking, "_guided", guided)
    monkeypatch.setattr(canonical, "proves", lambda *_: None)
    assert searched(produced, accepted) is verdict
    assert asked[1] == (produced.document, FROM_3)


@pytest.mark.usefixtures("without_the_first_stages")
def test_a_message_of_the_whole_difference_is_a_witness_with_its_reason() -> None:
    verdict = searched(fresh(NUMBER), fresh(FROM_3))
    assert isinstance(verdict, Incompatible)
    assert [reason.path for reason in verdict.reasons] == ["$.a"]


@pytest.mark.usefixtures("without_the_first_stages")
def test_where_nobody_knows_a_boundary_value_may_be_a_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "refute", lambda *_: Unknown("nobody knows", "minimum"))
    verdict = searched(fresh(NUMBER), fresh(FROM_3))
    assert isinstance(verdict, Incompatible)
    assert [reason.path for reason in verdict.reasons] == ["$.a"]
    assert searched(fresh(NUMBER), fresh(NUMBER)) == Undecided(place="", why="nobody knows.")


@pytest.mark.parametrize("wandering", ["neither", "sent", "taken"])
def test_a_residual_does_not_lead_through_dynamic_references(wandering: str) -> None:
    produced, accepted = fresh(NUMBER), fresh(FROM_3)
    sent, taken = (
        msgspec.structs.replace(side.document, dynamic=name == wandering)
        for name, side in (("sent", produced), ("taken", accepted))
    )
    right = msgspec.structs.replace(accepted, document=taken)
    verdict = checking._guided(produced, right, sent, FROM_3, Budget(60_000))
    assert isinstance(verdict, Incompatible if wandering == "neither" else type(None))


def test_what_is_proved_as_it_was_written_is_not_closed() -> None:
    produced = fresh({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert isinstance(checking._settle(produced, fresh(NUMBER), True, Budget(60_000)), Compatible)
    assert "closed" not in vars(produced)


@pytest.mark.usefixtures("without_the_first_stages")
def test_what_breaks_a_keyword_on_its_own_is_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = object()
    monkeypatch.setattr(checking, "_broken", lambda *_: verdict)
    assert searched(fresh(NUMBER), fresh(FROM_3)) is verdict


@pytest.mark.usefixtures("without_the_first_stages")
@pytest.mark.parametrize(
    ("further", "undecided"),
    [
        (
            {},
            Undecided(place="", why="a message was found that may break it, and the validators do not agree on it."),
        ),
        ({OPAQUE: "a validator"}, Undecided(place="", why="a validator.")),
    ],
)
def test_a_message_that_is_not_confirmed_leaves_it_undecided(
    further: Json, undecided: Undecided, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking.confirm, "confirmed", lambda *_, **__: False)
    assert searched(fresh(NUMBER), fresh({**FROM_3, **further})) == undecided


def test_the_same_schema_is_within_itself_but_for_what_it_leaves_to_code() -> None:
    """It holds what no normal form says."""
    mixed: Json = {"properties": {"a": {"$schema": URI["draft4"], "type": "integer"}, "b": {"$ref": "#/properties/a"}}}
    assert check(mixed, mixed) == Compatible(proof="the same schema")
    coded = {**mixed, OPAQUE: "a validator"}
    assert isinstance(check(coded, coded), Undecided)


def test_the_smallest_message_is_the_witness_and_the_others_are_reasons() -> None:
    produced, accepted = fresh({"type": ["array", "string"]}), fresh({"maxItems": 0, "maxLength": 0})
    for shown in ([[1, 1, 1], "x"], ["x", [1, 1, 1]]):
        verdict = checking._smallest(produced, accepted, shown, Budget(60_000))
        assert verdict.witness == "x"
        assert [reason.rule for reason in verdict.reasons] == ["maxLength", "maxItems"]
    assert checking._smallest(produced, accepted, [[], ""], Budget(60_000)) is None

"""What a negotiation document asks of two modules, given what they have registered."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.negotiation.declared import DeclaredProduct, claims, message_type, parsed, questions
from claude_comm.registry.contracts import Contract, Produced, contract

IN, OUT, REGISTERED = {"type": "integer"}, {"type": "string"}, {"type": "number"}


def document(type_: str = "") -> Any:
    given = {"source_module": "a", "target_module": "b", "schema": {"input": IN, "output": OUT}}
    return parsed(given | ({"type": type_} if type_ else {}))


def test_where_nobody_has_registered_the_document_is_asked_about_itself() -> None:
    there, back = questions(document("order"), None, None)
    assert (there.producer, there.consumer, there.type) == ("a", "b", "order")
    assert (there.produced, there.accepted, there.consumer_version) == (IN, IN, "")
    assert (back.producer, back.consumer, back.produced, back.accepted) == ("b", "a", OUT, OUT)


def test_what_the_receiving_side_has_registered_is_what_it_accepts() -> None:
    source = contract("a", accepts={"order": REGISTERED}, version="2.0.0")
    target = contract("b", accepts={"order": REGISTERED}, version="1.0.0")
    there, back = questions(document(), source, target)
    assert (there.type, there.accepted, there.consumer_version) == ("order", REGISTERED, "1.0.0")
    assert (back.accepted, back.consumer_version) == (REGISTERED, "2.0.0")
    silent = contract("a", accepts={"other": REGISTERED})
    assert questions(document(), silent, target)[1].accepted == OUT
    assert questions(document("order"), None, contract("b", version="3.0.0"))[0].accepted == IN


def test_a_side_is_held_to_what_it_has_declared_to_produce_for_the_other() -> None:
    source = contract("a", produces=[Produced(type="order", target="b", schema=REGISTERED)])
    target = contract("b", produces=[Produced(type="order", target="somebody", schema=REGISTERED)])
    assert claims(document(), "order", source, target) == [
        DeclaredProduct(module="a", part="input", produced=REGISTERED, stated=IN)
    ]
    assert claims(document(), "order", None, None) == []


@pytest.mark.parametrize(
    ("named", "accepts", "type_"),
    [
        ("order", None, "order"),
        ("order", {"order": {}, "refund": {}}, "order"),
        ("", None, "message"),
        ("", {"message": {}, "order": {}}, "message"),
        ("", {"order": {}}, "order"),
        ("", {"order": {}, "refund": {}}, None),
        ("other", {"order": {}}, None),
    ],
)
def test_the_type_is_as_named_or_the_only_one(named: str, accepts: dict[str, Any] | None, type_: str | None) -> None:
    target: Contract | None = contract("b", accepts=accepts) if accepts else None
    if type_:
        assert message_type(document(named), target) == type_
    else:
        says = f"not '{named}'" if named else "must name one of these"
        with pytest.raises(ConfigurationError, match=says):
            message_type(document(named), target)

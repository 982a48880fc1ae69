"""What a contract refuses at the door, and in which words."""

from __future__ import annotations

import pytest

from claude_comm.delivery.acceptance import require_accepted
from claude_comm.errors import ContractBroken
from claude_comm.registry.contracts import contract

COUNTED = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "integer"}}}


def test_a_contract_that_declares_nothing_refuses_nothing() -> None:
    require_accepted(contract("m"), "anything", {"n": "one"})


def test_a_type_that_is_not_accepted_is_refused_with_those_that_are() -> None:
    with pytest.raises(ContractBroken, match="it accepts 'order', 'refund'"):
        require_accepted(contract("m", accepts={"refund": {}, "order": {}}), "odrer", {})


def test_a_payload_is_held_to_the_schema_of_its_type_and_the_first_breach_is_named() -> None:
    accepts = contract("m", accepts={"order": COUNTED, "other": {"type": "string"}})
    require_accepted(accepts, "order", {"n": 1})
    with pytest.raises(ContractBroken) as refused:
        require_accepted(accepts, "order", {"n": "one", "m": 2})
    assert (refused.value.target, refused.value.type, refused.value.path) == ("m", "order", "$.n")

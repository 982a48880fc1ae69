"""Policies: what a new version must keep, proved; what is not proved is broken."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.registry import policies
from claude_comm.registry.contracts import Compatibility, Contract, Produced, contract
from claude_comm.registry.policies import breaks, refused
from claude_comm.schema import Impossible, Incompatible, Undecided

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def accepting(version: str, schema: Any) -> Contract:
    return contract("m", version=version, accepts={"t": schema})


def sending(version: str, schema: Any) -> Contract:
    return contract("m", version=version, produces=[Produced("t", schema)])


def broken(new: Contract, old: Contract, policy: Compatibility) -> list[tuple[str, str]]:
    return [(one.direction, one.side) for one in breaks(new, [old], policy)]


OLD, WIDER, NARROWER = obj("n", n=WHOLE), obj(n=WHOLE, m=TEXT), obj("n", "m", n=WHOLE, m=TEXT)


@pytest.mark.parametrize(
    ("old", "new", "policy", "expected"),
    [
        (OLD, WIDER, "backward", []),
        (OLD, NARROWER, "backward", [("backward", "accepts")]),
        (OLD, WIDER, "forward", [("forward", "accepts")]),
        (OLD, NARROWER, "forward", []),
        (OLD, NARROWER, "full", [("backward", "accepts")]),
        (OLD, NARROWER, "none", []),
    ],
)
def test_what_is_accepted_may_widen_backward_and_narrow_forward(
    old: Any, new: Any, policy: Compatibility, expected: list[tuple[str, str]]
) -> None:
    assert broken(accepting("2", new), accepting("1", old), policy) == expected


def test_what_is_sent_may_narrow_backward_and_widen_forward() -> None:
    assert broken(sending("2", OLD), sending("1", WIDER), "backward") == []
    assert broken(sending("2", WIDER), sending("1", OLD), "backward") == [("backward", "produces")]
    assert broken(sending("2", WIDER), sending("1", OLD), "forward") == []


def test_a_type_that_is_gone_breaks_those_who_send_it() -> None:
    old = contract("m", accepts={"t": True, "u": True}, version="1")
    new = contract("m", accepts={"t": True}, version="2")
    (one,) = breaks(new, [old], "backward")
    assert (one.type, one.verdict) == ("u", None)
    assert "the type is missing" in one.sentence
    assert broken(new, old, "forward") == []


def test_replies_are_held_like_what_is_sent() -> None:
    old = contract("m", accepts={"t": True}, replies={"t": WHOLE}, version="1")
    new = contract("m", accepts={"t": True}, replies={"t": TEXT}, version="2")
    assert broken(new, old, "backward") == [("backward", "replies")]


def test_transitive_looks_at_all_before_and_the_plain_one_at_the_last() -> None:
    first, second = accepting("1", obj(n=WHOLE)), accepting("2", obj("n", n=WHOLE))
    third = accepting("3", obj("n", n=WHOLE, m=TEXT))
    assert breaks(third, [second, first], "backward") == []
    (one,) = breaks(third, [second, first], "backward-transitive")
    assert one.against == "1"
    assert isinstance(one.verdict, Incompatible)
    assert "n" not in one.verdict.witness


def test_what_cannot_be_decided_counts_as_no_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "check", lambda *_: Undecided(place="/x", why="too hard"))
    new, old = accepting("2", OLD), accepting("1", OLD)
    found = breaks(new, [old], "backward")
    assert [one.undecided for one in found] == [True]
    error = refused(new, "backward", found)
    assert error.exit_code == 4
    assert "undecided, which counts as no: too hard (at /x)" in str(error)


def test_a_refusal_shows_the_witness() -> None:
    new = accepting("2", NARROWER)
    text = str(refused(new, "backward", breaks(new, [accepting("1", OLD)], "backward")))
    assert '{"n":0}' in text
    assert "`m`" in text


def test_what_fits_nothing_any_more_is_told_so() -> None:
    nothing = Impossible(why="the schema allows nothing", proof="")
    broken = policies.Break(against="1.0.0", direction="backward", side="accepts", type="t", verdict=nothing)
    assert broken.sentence.endswith("nothing fits there any more.")


def test_a_type_that_nobody_expected_before_breaks_nobody() -> None:
    old, new = contract("m"), contract("m", version="1.1.0", produces=[Produced("t", {"type": "integer"})])
    assert policies.breaks(new, [old], "full") == []

"""Proposals: what is proved holds for every message, and nothing that guesses passes for safe."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
import pytest

from claude_comm.errors import SchemaError
from claude_comm.schema.containment.boundary_values import candidates, harvest
from claude_comm.schema.containment.check import check
from claude_comm.schema.evolution.adapt import Proposal, adapt, apply
from claude_comm.schema.evolution.adapter import Adapter, Convert, Default, Drop, Rename, Widen, Wrap, read
from claude_comm.schema.normalform.closing import close
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.verdict import Compatible, Undecided

TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
MAYBE: dict[str, Any] = {"anyOf": [TEXT, {"type": "null"}]}


def record(required: list[str] | None = None, *, closed: bool = False, **properties: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
    }
    return {**schema, "additionalProperties": False} if closed else schema


PAIRS: list[tuple[str, Any, Any, dict[str, list[str]], list[Any], str]] = [
    ("fits", record(a=TEXT), record(a=TEXT), {}, [], "safe"),
    ("default", record(a=TEXT), record(a=TEXT, b={**WHOLE, "default": 3}), {}, [Default(name="b", value=3)], "safe"),
    ("optional", record([], a=WHOLE), record(a={**WHOLE, "default": 0}), {}, [Default(name="a", value=0)], "safe"),
    ("drop", record(a=TEXT, x=WHOLE), record(a=TEXT, closed=True), {}, [Drop(name="x")], "safe"),
    (
        "never there",
        record(["a"], a=TEXT, x=False),
        record(a=TEXT, b={**WHOLE, "default": 3}, closed=True),
        {},
        [Default(name="b", value=3)],
        "safe",
    ),
    ("widen", record(a=WHOLE), record(a=TEXT), {}, [Widen(at=("a",))], "safe"),
    ("wrap", record(a=TEXT), record(a={"type": "array", "items": TEXT}), {}, [Wrap(at=("a",))], "safe"),
    (
        "wrap and widen",
        record(a=WHOLE),
        record(a={"type": "array", "items": TEXT}),
        {},
        [Wrap(at=("a",)), Widen(at=("a", None))],
        "safe",
    ),
    ("alias", record(user=TEXT), record(owner=TEXT), {"owner": ["user"]}, [Rename(name="user", to="owner")], "safe"),
    ("likeness", record(user_id=TEXT), record(userId=TEXT), {}, [Rename(name="user_id", to="userId")], "guess"),
    ("lossy", record(p=NUMBER), record(p=WHOLE), {}, [Convert(at=("p",), to="integer")], "guess"),
    ("null dropped", record(a=MAYBE), record([], a=TEXT), {}, [Drop(name="a", when="null")], "safe"),
    (
        "null filled",
        record(a=MAYBE),
        record(a={**TEXT, "default": "-"}),
        {},
        [Default(name="a", value="-", when="null")],
        "safe",
    ),
    (
        "text read",
        record(n={**TEXT, "pattern": "^[1-9][0-9]{0,4}$"}),
        record(n=WHOLE),
        {},
        [Convert(at=("n",), to="integer")],
        "guess",
    ),
    (
        "nested",
        record(lines={"type": "array", "items": record(q=WHOLE, note=TEXT)}),
        record(lines={"type": "array", "items": record(qty=WHOLE, unit={**TEXT, "default": "kg"}, closed=True)}),
        {"qty": ["q"]},
        [
            Rename(at=("lines", None), name="q", to="qty"),
            Default(at=("lines", None), name="unit", value="kg"),
            Drop(at=("lines", None), name="note"),
        ],
        "safe",
    ),
]


@pytest.mark.parametrize(("produced", "accepted", "aliases", "steps", "kind"), [row[1:] for row in PAIRS])
def test_the_first_proposal_is_proved_and_minimal(
    produced: Any, accepted: Any, aliases: dict[str, list[str]], steps: list[Any], kind: str
) -> None:
    """Each way of not fitting has its adapter, of the steps that are needed and no others."""
    best = adapt(produced, accepted, aliases=aliases)[0]
    assert list(best.adapter.steps) == steps
    assert (best.kind, best.proved, best.applicable) == (kind, True, kind == "safe")
    assert len(best.sentences) == len(steps)


@pytest.mark.parametrize(("produced", "accepted", "aliases"), [row[1:4] for row in PAIRS])
def test_every_proved_proposal_survives_attack(produced: Any, accepted: Any, aliases: dict[str, list[str]]) -> None:
    """Messages of the closed producer, sampled at its bounds, are accepted once adapted."""
    closed = close(normalise(produced, "draft2020-12")).schema
    sender, receiver = (jsonschema_rs.Draft202012Validator(side) for side in (closed, accepted))
    messages = [*candidates(closed, harvest(closed, accepted), lambda: None), {"n": "7"}, {"n": "12345"}]
    sent = [message for message in messages if sender.is_valid(message)]
    assert sent
    for proposal in adapt(produced, accepted, aliases=aliases):
        for message in sent:
            out = apply(proposal.adapter, message)
            assert receiver.is_valid(out) or not proposal.proved, (message, out)


def test_what_is_not_proved_is_never_offered_as_proved() -> None:
    """The nearest attempt is shown with its verdict, and no program may apply it."""
    (only,) = adapt(record(n={**TEXT, "pattern": "^[0-9]{1,5}$"}), record(n=WHOLE))
    assert not only.proved
    assert not only.applicable
    assert adapt(record(a=WHOLE), record(b={"type": "boolean"})) == ()


def test_a_closed_producer_is_not_taken_for_an_open_one() -> None:
    """Under `strict` the producer may send more names than it declares, and dropping the declared ones is no proof."""
    open_, closed = record(a=TEXT, x=WHOLE), record(a=TEXT, closed=True)
    assert adapt(open_, closed)[0].applicable
    assert not any(proposal.proved for proposal in adapt(open_, closed, policy="strict"))


def test_a_composed_producer_is_followed() -> None:
    """References and `allOf`, as exporters write them, are no hindrance, and what is off the path stays as it was."""
    produced = {
        "allOf": [{"$ref": "#/$defs/base"}, record(at={"$ref": "#/$defs/place"})],
        "$defs": {"base": record(id=WHOLE), "place": record(x=NUMBER, y=NUMBER)},
    }
    accepted = record(id=TEXT, at=record(x=NUMBER, y=NUMBER, z={**NUMBER, "default": 0}, closed=True))
    best = adapt(produced, accepted)[0]
    assert best.applicable
    assert apply(best.adapter, {"id": 7, "at": {"x": 1, "y": 2}}) == {"id": "7", "at": {"x": 1, "y": 2, "z": 0}}
    assert isinstance(check(produced, accepted).answer, str)
    assert not isinstance(check(produced, accepted), Compatible)


def test_an_adapter_is_json() -> None:
    """An adapter goes into an agreement and comes back the same; an unknown step is refused."""
    adapter = Adapter((Rename(at=("lines", None), name="q", to="qty"), Drop(name="x", when="null")))
    document = msgspec.json.encode(adapter)
    assert msgspec.json.decode(document)["steps"][0] == {
        "step": "rename",
        "at": ["lines", None],
        "name": "q",
        "to": "qty",
    }
    assert read(document) == adapter
    with pytest.raises(msgspec.ValidationError):
        read(b'{"steps":[{"step":"execute","name":"x"}]}')


def test_a_proposal_is_json() -> None:
    """A proposal, with its verdict, can be stored and shown."""
    (proposal,) = adapt(record(a=WHOLE), record(a=TEXT))
    shown = msgspec.json.decode(msgspec.json.encode(proposal))
    assert shown["kind"] == "safe"
    assert msgspec.convert(shown, Proposal) == proposal


def test_a_schema_that_cannot_be_used_is_a_schema_error() -> None:
    """Nothing is proposed from what is no schema."""
    with pytest.raises(SchemaError):
        adapt({"type": "strnig"}, record(a=TEXT))
    with pytest.raises(SchemaError):
        adapt(record(a=TEXT), {"type": 3})


def test_a_schema_that_has_no_image_is_not_proved() -> None:
    """Under `not` a part that nothing stands for would make the whole wider than it is."""
    produced = {**record(a=WHOLE), "not": {"required": ["x"], OPAQUE: "code decides"}}
    (proposal,) = adapt(produced, record(a=TEXT))
    assert isinstance(proposal.verdict, Undecided)
    assert "no image" in proposal.verdict.why


def test_arrays_whose_items_nobody_describes_are_left_alone() -> None:
    produced, accepted = record(a={"type": "array"}), record(a={"type": "array", "items": TEXT}, b=WHOLE)
    assert all(proposal.kind == "guess" or not proposal.adapter.steps for proposal in adapt(produced, accepted))


@pytest.mark.parametrize(("produced", "accepted"), [({"type": "strnig"}, TEXT), (TEXT, {"type": "strnig"})])
def test_what_is_no_schema_is_refused_though_the_pair_was_not_decided(produced: Any, accepted: Any) -> None:
    with pytest.raises(SchemaError):
        adapt(produced, accepted, unadapted=Undecided(place="", why="the budget was spent."))


def test_a_guess_is_proposed_once() -> None:
    assert len(adapt(record(user_id=TEXT), record(userId=TEXT))) == 1


def test_only_the_steps_that_are_needed_are_proposed() -> None:
    produced = record(["a"], a=TEXT, x=False)
    accepted = record(a=TEXT, b={**WHOLE, "default": 1}, c={**WHOLE, "default": 2}, closed=True)
    assert list(adapt(produced, accepted)[0].adapter.steps) == [Default(name="b", value=1), Default(name="c", value=2)]

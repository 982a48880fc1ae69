"""Forty pairs of versions, all answered by the worker: right verdicts, right adapters, a witness for each refusal."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from claude_comm import Settings
from claude_comm.client.publisher.negotiate import ask
from claude_comm.names import NEGOTIATION_WORKER, Keys
from claude_comm.negotiation.agreement import Agreement, Question
from claude_comm.ops import heartbeats
from claude_comm.schema.evolution.adapter import apply
from claude_comm.schema.validation.enforced import under
from claude_comm.schema.validation.validator import compile_validator
from claude_comm.schema.verdict import Incompatible
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S, wait_until


class Pair(NamedTuple):
    """What is sent and accepted, the answer, and the steps of the adapter by their kinds."""

    produced: Any
    accepted: Any
    answer: str
    steps: tuple[str, ...] = ()
    aliases: dict[str, list[str]] = {}  # noqa: RUF012  (never changed)


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


TEXT, WHOLE, NUMBER, NULL, FLAG = ({"type": kind} for kind in ("string", "integer", "number", "null", "boolean"))
MAYBE = {"type": ["string", "null"]}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "additionalProperties": False}


def tree(leaf: Any) -> dict[str, Any]:
    node = obj("value", value=leaf, children=array({"$ref": "#/$defs/node"}))
    return {"$ref": "#/$defs/node", "$defs": {"node": node}}


PAIRS: dict[str, Pair] = {
    "the same": Pair(obj("n", n=WHOLE), obj("n", n=WHOLE), "compatible"),
    "an optional field was added": Pair(obj("n", n=WHOLE), obj("n", n=WHOLE, m=TEXT), "compatible"),
    "an optional field is sent that nobody knows": Pair(obj("n", n=WHOLE, m=TEXT), obj("n", n=WHOLE), "compatible"),
    "a field that nobody knows is forbidden": Pair(
        obj("n", n=WHOLE, m=TEXT), closed(obj("n", n=WHOLE)), "adapted", ("Drop",)
    ),
    "a required field was added": Pair(obj("n", n=WHOLE), obj("n", "m", n=WHOLE, m=TEXT), "incompatible"),
    "a required field with a default was added": Pair(
        obj("n", n=WHOLE), obj("n", "m", n=WHOLE, m={**TEXT, "default": "-"}), "adapted", ("Default",)
    ),
    "a required field was removed": Pair(obj(n=WHOLE), obj("n", n=WHOLE), "incompatible"),
    "a field was removed that is optional": Pair(obj("n", n=WHOLE), obj("n", n=WHOLE, gone=TEXT), "compatible"),
    "a field became optional": Pair(obj("n", n=WHOLE), obj(n=WHOLE), "compatible"),
    "a field became optional for who sends, with a default": Pair(
        obj(n=WHOLE), obj("n", n={**WHOLE, "default": 0}), "adapted", ("Default",)
    ),
    "renamed with an alias": Pair(
        obj("price", price=WHOLE), obj("cost", cost=WHOLE), "adapted", ("Rename",), {"cost": ["price"]}
    ),
    "renamed without": Pair(obj("price", price=WHOLE), obj("cost", cost=WHOLE), "incompatible"),
    "renamed alike, without an alias": Pair(obj("user_id", user_id=WHOLE), obj("userId", userId=WHOLE), "incompatible"),
    "an alias that nobody sends": Pair(
        obj("x", x=WHOLE), obj("cost", cost=WHOLE), "incompatible", (), {"cost": ["price"]}
    ),
    "the second of two aliases": Pair(
        obj("fee", fee=WHOLE), obj("cost", cost=WHOLE), "adapted", ("Rename",), {"cost": ["price", "fee"]}
    ),
    "renamed, and a default": Pair(
        obj("price", price=WHOLE),
        obj("cost", "unit", cost=WHOLE, unit={**TEXT, "default": "EUR"}),
        "adapted",
        ("Rename", "Default"),
        {"cost": ["price"]},
    ),
    "an enum was widened": Pair(obj("k", k={"enum": ["a"]}), obj("k", k={"enum": ["a", "b"]}), "compatible"),
    "an enum was narrowed": Pair(obj("k", k={"enum": ["a", "b"]}), obj("k", k={"enum": ["a"]}), "incompatible"),
    "a text became an enum": Pair(obj("k", k=TEXT), obj("k", k={"enum": ["a"]}), "incompatible"),
    "a const of an enum": Pair(obj("k", k={"const": "a"}), obj("k", k={"enum": ["a", "b"]}), "compatible"),
    "an integer is a number": Pair(obj("n", n=WHOLE), obj("n", n=NUMBER), "compatible"),
    "a number became an integer": Pair(obj("n", n=NUMBER), obj("n", n=WHOLE), "incompatible"),
    "an integer became text": Pair(obj("n", n=WHOLE), obj("n", n=TEXT), "adapted", ("Widen",)),
    "a number became text": Pair(obj("n", n=NUMBER), obj("n", n=TEXT), "incompatible"),
    "text became a number": Pair(obj("n", n=TEXT), obj("n", n=NUMBER), "incompatible"),
    "a flag became text": Pair(obj("n", n=FLAG), obj("n", n=TEXT), "adapted", ("Widen",)),
    "a bound was narrowed": Pair(obj("n", n=WHOLE), obj("n", n={**WHOLE, "minimum": 0}), "incompatible"),
    "a bound was widened": Pair(obj("n", n={**WHOLE, "minimum": 5}), obj("n", n={**WHOLE, "minimum": 0}), "compatible"),
    "a pattern that lies in another": Pair(
        obj("k", k={**TEXT, "pattern": "^ab+$"}), obj("k", k={**TEXT, "pattern": "^a"}), "compatible"
    ),
    "a pattern that does not": Pair(
        obj("k", k={**TEXT, "pattern": "^a"}), obj("k", k={**TEXT, "pattern": "^ab+$"}), "incompatible"
    ),
    "nested, a required field added": Pair(
        obj("o", o=obj("n", n=WHOLE)), obj("o", o=obj("n", "m", n=WHOLE, m=TEXT)), "incompatible"
    ),
    "nested, with a default": Pair(
        obj("o", o=obj("n", n=WHOLE)),
        obj("o", o=obj("n", "m", n=WHOLE, m={**TEXT, "default": ""})),
        "adapted",
        ("Default",),
    ),
    "null became forbidden": Pair(obj("k", k=MAYBE), obj("k", k=TEXT), "incompatible"),
    "null became forbidden, with a default": Pair(
        obj("k", k=MAYBE), obj("k", k={**TEXT, "default": ""}), "adapted", ("Default",)
    ),
    "null where it may be missing": Pair(obj("k", k=MAYBE), obj(k=TEXT), "adapted", ("Drop",)),
    "null became allowed": Pair(obj("k", k=TEXT), obj("k", k=MAYBE), "compatible"),
    "items were widened": Pair(obj("l", l=array(WHOLE)), obj("l", l=array(NUMBER)), "compatible"),
    "items were narrowed": Pair(obj("l", l=array(NUMBER)), obj("l", l=array(WHOLE)), "incompatible"),
    "fewer items are allowed": Pair(obj("l", l=array(WHOLE)), obj("l", l=array(WHOLE, maxItems=3)), "incompatible"),
    "one became a list": Pair(obj("l", l=WHOLE), obj("l", l=array(WHOLE)), "adapted", ("Wrap",)),
    "a tree, the leaves widened": Pair(tree(WHOLE), tree(NUMBER), "compatible"),
    "a tree, the leaves narrowed": Pair(tree(NUMBER), tree(WHOLE), "incompatible"),
}  # fmt: skip


@pytest.fixture
def worker(settings: Settings, environ: dict[str, str], client: Client, patient_jobs: None) -> Iterator[None]:
    child = subprocess.Popen([sys.executable, "-m", "workers.negotiation"], env=environ, stderr=subprocess.DEVNULL)
    keys = Keys(settings.namespace)

    def alive() -> bool:
        now_ms = time.time_ns() // 1_000_000
        return bool(client.run(heartbeats.workers_alive(keys, NEGOTIATION_WORKER, now_ms=now_ms)))

    wait_until(alive)
    yield
    child.terminate()
    assert child.wait(timeout=PATIENCE_S) == 0


@pytest.mark.usefixtures("worker")
def test_every_pair_has_the_right_answer_from_the_worker(client: Client, settings: Settings) -> None:
    assert len(PAIRS) >= 40
    for name, pair in PAIRS.items():
        question = Question(
            producer="till",
            consumer="shop",
            type="sale",
            produced=pair.produced,
            accepted=pair.accepted,
            aliases=pair.aliases,
            producer_version=name.replace(" ", "-"),
        )
        agreement = ask(client, settings, question)
        assert agreement.decided_by == "worker", name
        assert agreement.answer == pair.answer, name
        steps = tuple(type(step).__name__ for step in agreement.adapter.steps) if agreement.adapter else ()
        assert steps == pair.steps, name
        _hold_to_its_grounds(agreement, name)


def _hold_to_its_grounds(agreement: Agreement, name: str) -> None:
    """A refusal has a message that is sent and refused; so has an adapter, and it mends that message."""
    verdict = agreement.unadapted if agreement.adapter is not None else agreement.verdict
    if agreement.answer == "compatible":
        return
    assert isinstance(verdict, Incompatible), name
    sent = [compile_validator(schema) for schema in under("closed-producer", agreement.produced)]
    accepted = compile_validator(agreement.accepted)
    assert all(validator.accepts(verdict.witness) for validator in sent), name
    assert not accepted.accepts(verdict.witness), name
    assert verdict.reasons, name
    if agreement.adapter is not None:
        assert accepted.accepts(apply(agreement.adapter, verdict.witness)), name

"""The first prover: what it is given, what it proves, and that nothing costly is given to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import jsonschema_rs
import pytest

from claude_comm.schema.containment.canonical import cheap, form, proves
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.verdict import Json


def inside(keyword: str, times: int) -> Json:
    """A keyword in itself so many times, alone or twice beside each other."""
    if times == 0:
        return {}
    schema = inside(keyword, times - 1)
    return {keyword: [schema, schema] if keyword == "anyOf" else schema}


# How many of each are the most that are given away.
MOST: dict[str, tuple[int, Callable[[int], Json]]] = {
    "words": (399, lambda n: {f"{i}": 1 for i in range(n)}),
    "items": (398, lambda n: {"prefixItems": [{}] * n}),
    "properties": (398, lambda n: {"properties": {f"{i}": {} for i in range(n)}}),
    "properties of a type": (199, lambda n: {"properties": {f"{i}": {"type": "null"} for i in range(n)}}),
    "constants": (199, lambda n: {"enum": [{"anyOf": 1}] * n}),
    "parts": (398, lambda n: {"allOf": [{}] * n}),
    "alternatives": (19, lambda n: {"anyOf": [{}] * n}),
    "alternatives of a type": (13, lambda n: {"anyOf": [{"type": "null"}] * n}),
    "alternatives within alternatives": (3, lambda n: inside("anyOf", n)),
    "exclusive alternatives": (4, lambda n: {"oneOf": [{}] * n}),
    "alternatives beside a part": (4, lambda n: {"allOf": [{"anyOf": [{}] * n}]}),
    "two alternatives beside each other": (3, lambda n: {"allOf": [{"anyOf": [{}, {}]}] * n}),
    "negations": (3, lambda n: {"allOf": [{"not": {}}] * n}),
    "negations of negations": (3, lambda n: inside("not", n)),
    "patterns for names": (3, lambda n: {"properties": {f"{i}": {"patternProperties": {}} for i in range(n)}}),
    "references": (30, lambda n: {"allOf": [{"$ref": "#/$defs/A"}] * n}),
    "dependent names": (23, lambda n: {"dependentRequired": {f"{i}": ["a"] for i in range(n)}}),
    "dependent schemas": (23, lambda n: {"dependentSchemas": {f"{i}": {} for i in range(n)}}),
}


@pytest.mark.parametrize("kind", MOST)
def test_only_so_many_are_given_away(kind: str) -> None:
    most, schema = MOST[kind]
    assert [cheap(schema(n)) for n in (1, most, most + 1, most + 2)] == [True, True, False, False]
    # What comes too late in a walk is counted as well.
    assert not cheap({"allOf": [schema(most + 1), {}]})


def document(schema: Json, *, opaque: bool = False, lexical: bool = False) -> Document:
    return Document(schema=schema, origins={}, opaque=opaque, lexical=lexical, dynamic=False)


@pytest.mark.parametrize(
    "unfit",
    [
        document({"type": "null"}, opaque=True),
        document({"type": "null"}, lexical=True),
        document({"oneOf": [{}] * 5}),
        document({"pattern": "(?=a)b"}),
        document({"type": "no type"}),
    ],
    ids=["unknown", "draft 4", "costly", "look-around", "no schema"],
)
def test_what_it_cannot_judge_has_no_form(unfit: Document) -> None:
    assert form(unfit) is None
    assert form(document({"type": "null"})) is not None


def test_it_tells_yes_no_and_nothing() -> None:
    number, integer, text, date = (
        form(document({"type": kind, **more}))
        for kind, more in [("number", {}), ("integer", {}), ("string", {}), ("string", {"format": "date"})]
    )
    assert (proves(integer, number), proves(text, number), proves(number, integer)) == (True, False, None)
    # A format says nothing here.
    assert proves(text, date) is True
    assert [proves(*pair) for pair in itertools.permutations((number, None))] == [None, None]


def test_what_it_fails_at_it_has_not_judged() -> None:
    class Unknown:
        def covers(self, _: object) -> object:
            return jsonschema_rs.canonical.Containment.UNKNOWN

    class Failing:
        def covers(self, _: object) -> object:
            raise ValueError

    assert [proves(side, side) for side in (Unknown(), Failing())] == [None, None]  # type: ignore[arg-type]

"""The solvers alone: a value that they find is one of the schema, and what they cannot count or list is unknown.

What settles most pairs before the prover is asked (residuals, guided witnesses, outlines) is left out here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jsonschema_rs
import pytest

from claude_comm.schema.budget import Budget
from claude_comm.schema.dialect import URI, dialect_of
from claude_comm.schema.formula import nodes
from claude_comm.schema.formula.factory import BOTTOM, TOP, FormulaFactory
from claude_comm.schema.normalform.normalize import normalise
from claude_comm.schema.solver import clauses, numbers, objects
from claude_comm.schema.solver.arrays import ArraySolver
from claude_comm.schema.solver.difference import SchemaPair, refute
from claude_comm.schema.solver.prover import Prover
from claude_comm.schema.solver.result import Result, Sat, Unknown, Unsat

INT, TEXT, FLAG, ONE = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}, {"const": 1}
DRAFT_4 = {"$schema": URI["draft4"]}
# Of so many items that must differ nobody looks for an example.
HARD = {"type": "array", "uniqueItems": True, "minItems": 40}
# No language of the prover's has this bound of words.
UNREAD = r"\b{start}"


def array(*prefix: Any, **more: Any) -> Any:
    return {"type": "array", **({"prefixItems": list(prefix)} if prefix else {}), **more}


def obj(**more: Any) -> Any:
    return {"type": "object", **more}


def some(pattern: str, schema: Any) -> Any:
    """Some property whose name matches is one of the schema."""
    return {"not": {"patternProperties": {pattern: {"not": schema}}}}


def every(*schemas: Any, **more: Any) -> Any:
    return {**more, "allOf": list(schemas)}


def tagged(*tags: Any) -> Any:
    """Exactly one of objects that a tag tells apart."""
    return {"oneOf": [obj(required=["k"], properties={"k": {"const": tag}}) for tag in tags]}


REPEATED = {"not": {"uniqueItems": True}}


def solved(schema: Any) -> Result:
    """A value of the schema, where it has one."""
    budget = Budget(60_000)
    left, right = (normalise(side, dialect_of(side)) for side in (schema, False))
    return refute(SchemaPair(left, right, budget), budget)


def nested(depth: int) -> Any:
    schema: Any = INT
    for _ in range(depth):
        schema = array(items=schema, minItems=1)
    return schema


def tree(*leaves: Any) -> Any:
    """An array of such arrays, or of leaves: never empty."""
    node = array(items={"anyOf": [array(items={"$ref": "#/$defs/t"}, minItems=1), *leaves]}, minItems=1)
    return {"$ref": "#/$defs/t", "$defs": {"t": node}}


FOUND: dict[str, Any] = {
    "at most one of a kind, and two alike": array(**REPEATED, contains=ONE, minContains=0, maxContains=1),
    "two further properties": every(
        {"not": {"additionalProperties": INT}}, {"not": {"additionalProperties": TEXT}}, **obj()
    ),
    "a property of two patterns": every(some("^a", INT), some("b$", {"minimum": 3}), **obj()),
    "a tree of integers": tree(INT),
    "one of two tags": tagged("a", "b"),
    "one of two numbers": tagged(1, 2),
    "one of true and false": tagged(True, False),
    "one of tags of several kinds": tagged(1, "a", True, None, [1], [2]),
    "a form that another one leads back to": {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"anyOf": [array(items=array(items={"$ref": "#/$defs/t"}, minItems=1), minItems=1), obj()]}},
    },
    "a tree of either": tree(array(items=INT, minItems=1), HARD, INT),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found_is_a_value_of_the_schema(case: str) -> None:
    result = solved(FOUND[case])
    assert isinstance(result, Sat), result
    assert jsonschema_rs.is_valid(FOUND[case], result.value), result


NONE: dict[str, Any] = {
    "three flags that differ, of which one is true": array(
        items=FLAG, uniqueItems=True, minItems=3, contains={"const": True}
    ),
    "two ones that differ": array(uniqueItems=True, contains=ONE, minContains=2),
    "items of which two are alike and all differ": every({"uniqueItems": True}, REPEATED, **array()),
    "two properties where one may be": every(some("^a", INT), some("^b", INT), **obj(maxProperties=1)),
    "a very long array of nothing": array(False, minItems=2_000),
    "a tree without leaves": tree(),
    "an integer that is none": every(INT, {"not": INT}, **DRAFT_4, type="number"),
}


@pytest.mark.parametrize("case", NONE)
def test_what_has_no_value_is_shown_to_have_none(case: str) -> None:
    assert isinstance(solved(NONE[case]), Unsat)


LOOP = {"$ref": "#/$defs/loop", "$defs": {"loop": {"$ref": "#/$defs/loop"}}}
FEW_CONTAINS = [{"if": {"minItems": size}, "then": {"contains": {"const": size}}} for size in range(1, 7)]
REFUSED: dict[str, Any] = {
    "one of very many forms": {"oneOf": [{"const": number} for number in range(301)]},
    "unevaluated properties beside a circle": {**LOOP, "unevaluatedProperties": False, **obj(minProperties=1)},
    "unevaluated items beside a circle": {**LOOP, "unevaluatedItems": False, **array(minItems=1)},
    "unevaluated items over conditions": {**array(minItems=9), "unevaluatedItems": False, "allOf": FEW_CONTAINS},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_formula_says_is_not_claimed(case: str) -> None:
    result = solved(REFUSED[case])
    assert not isinstance(result, Unsat)
    assert not (isinstance(result, Sat) and result.sure)


UNKNOWN: dict[str, tuple[Any, str]] = {
    "very many positions": (array(*[INT] * 201, minItems=201), "positions"),
    "many things to count": (array(allOf=[{"contains": {"const": number}} for number in range(7)]), "to count"),
    "many items that differ": (array(items={"type": "number"}, uniqueItems=True, minItems=40), "must all differ"),
    "two alike of which one is hard": (array(items=HARD, **REPEATED), "must all differ"),
    "two alike beside one that is hard": (array(INT, INT, HARD, minItems=3, **REPEATED), "must all differ"),
    "two alike that are counted": (array(**REPEATED, contains=ONE, minContains=2), "must not all differ"),
    "1 and 1.0": (
        {**DRAFT_4, "type": "array", "items": [INT, {"type": "number", "not": INT}], "maxItems": 2, **REPEATED},
        "written in two ways",
    ),
    "many integers of draft 4": (
        every({"enum": [[1, 2, 3, 4, 5, 6, 7]]}, {"items": {"not": INT}}, {"items": [INT]}, **DRAFT_4),
        "1 and 1.0",
    ),
    "very many properties": (obj(minProperties=3_000), "properties"),
    "a name twice": (every(some("^x$", INT), some("^x$", TEXT), **obj()), "too few names"),
    "properties that are hard": (
        obj(properties={"a": HARD}, additionalProperties=HARD, minProperties=2),
        "must all differ",
    ),
    "one property that is hard": (
        obj(properties={"a": HARD}, additionalProperties=False, minProperties=1),
        "must all differ",
    ),
    "nested very deep": (nested(50), "deep"),
    "a tree whose leaves are hard": (tree(HARD), "must all differ"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_nobody_could_count_is_unknown(case: str) -> None:
    schema, why = UNKNOWN[case]
    result = solved(schema)
    assert isinstance(result, Unknown), result
    assert why in result.reason


LIMITS: dict[str, tuple[Any, str, int, Any]] = {
    "alternatives": (
        clauses,
        "MAX_CHOICES",
        0,
        {"type": "string", "anyOf": [{"minLength": 3}, {"pattern": "^b"}]},
    ),
    "digits of a common multiple": (
        numbers,
        "MAX_BITS",
        12,
        every({"multipleOf": 1009}, {"multipleOf": 1013}, type="number"),
    ),
    "digits of a period": (
        numbers,
        "MAX_BITS",
        12,
        every({"not": {"multipleOf": 1009}}, {"not": {"multipleOf": 1013}}, type="integer", multipleOf=3),
    ),
    "placements": (objects, "MAX_PLACEMENTS", 0, every(some("^a", INT), **obj())),
}


@pytest.mark.parametrize("case", LIMITS)
def test_beyond_a_limit_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    place, name, most, schema = LIMITS[case]
    assert isinstance(solved(schema), Sat)
    monkeypatch.setattr(place, name, most)
    assert isinstance(solved(schema), Unknown)


UNSURE: dict[str, Any] = {
    "a name that may be meant": obj(required=["a"], patternProperties={UNREAD: INT}),
    "some property whose name may be meant": every(some(UNREAD, INT), **obj()),
    "a mentioned name that may be meant": every(some(UNREAD, INT), **obj(properties={"a": INT})),
    "names of which nobody reads the pattern": obj(patternProperties={UNREAD: INT}, minProperties=1),
    "a lone surrogate": {"type": "string", "pattern": "^[\\ud800]$"},
}


@pytest.mark.parametrize("case", UNSURE)
def test_a_value_that_rests_on_what_nobody_reads_is_not_sure(case: str) -> None:
    result = solved(UNSURE[case])
    assert isinstance(result, Sat), result
    assert not result.sure


def test_names_of_too_many_patterns_are_told_apart_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MAX_REGIONS", 1)
    patterns = {f"^{letter}": {"const": letter} for letter in "abc"}
    result = solved(obj(patternProperties=patterns, minProperties=1))
    assert isinstance(result, Sat)
    assert not result.sure


def literals(*atoms: nodes.Atom, kind: int) -> list[nodes.Lit]:
    factory = FormulaFactory()
    return [node for node in (factory.lit(kind, atom) for atom in atoms) if isinstance(node, nodes.Lit)]


def prover() -> Prover:
    return SchemaPair(normalise(True, "draft2020-12"), normalise(False, "draft2020-12"), Budget(60_000)).prover


def test_literals_that_exclude_each_other_leave_nothing() -> None:
    """Clauses drop most such pairs before; a solver does not lean on that."""
    both = literals(nodes.Distinct(True), nodes.Distinct(False), kind=nodes.ARRAY)
    assert isinstance(ArraySolver(prover(), both).solve(), Unsat)
    written = literals(nodes.Lexical(True), nodes.Lexical(False), kind=nodes.NUMBER)
    assert isinstance(numbers.NumberSolver(lambda: None, written).solve(), Unsat)
    multiples = literals(nodes.Multiple(Fraction(6), True), nodes.Multiple(Fraction(3), False), kind=nodes.NUMBER)
    assert isinstance(numbers.NumberSolver(lambda: None, multiples).solve(), Unsat)


def test_an_array_that_is_too_long_to_write_may_still_be_refuted() -> None:
    long = literals(nodes.MinSize(2_000), nodes.Item(1, BOTTOM), kind=nodes.ARRAY)
    assert isinstance(ArraySolver(prover(), long).solve(), Unsat)


def test_a_branch_with_nothing_in_it_is_refuted() -> None:
    assert clauses._Branch().with_part(BOTTOM).refuted
    assert not clauses._Branch().with_part(TOP).refuted


def test_an_alternative_conflicts_with_the_opposite_of_what_nobody_knows() -> None:
    goals = prover()
    dpll, unknown = clauses._Dpll(goals, nodes.STRING), goals.resolver.factory.opaque("nobody knows")
    branch = clauses._Branch().with_part(goals.resolver.factory.negation(unknown))
    solver = goals.theory(nodes.STRING, [])
    assert dpll.conflicts(branch, solver, unknown)
    assert not dpll.conflicts(clauses._Branch(), solver, unknown)
    assert dpll.conflicts(branch, solver, BOTTOM)
    assert not dpll.conflicts(branch, solver, TOP)


def test_a_property_that_no_value_fits_leaves_no_object() -> None:
    solver = objects.ObjectSolver(prover(), [])
    assert isinstance(solver._filled([objects.PropertySlot("a", BOTTOM, (BOTTOM,), None)]), Unsat)

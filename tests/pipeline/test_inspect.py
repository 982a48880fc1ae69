"""Pipelines: the verdicts that comparing names gets wrong, and every fault at once."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.pipeline.check import inspect
from claude_comm.schema.verdict import Compatible, Incompatible


def pipeline(*schemas: tuple[Any, Any]) -> dict[str, Any]:
    """Modules with these (input, output) schemas; None declares none."""
    modules: list[dict[str, Any]] = []
    for number, (accepted, produced) in enumerate(schemas):
        module: dict[str, Any] = {"name": f"m{number}", "version": "1.0.0"}
        if accepted is not None:
            module["input_schema"] = accepted
        if produced is not None:
            module["output_schema"] = produced
        modules.append(module)
    return {"pipeline_name": "p", "modules": modules}


def obj(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


TEXT, INT, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}


@pytest.mark.parametrize(
    ("produced", "accepted"),
    [
        (obj(("x",), x=INT), obj(("x",), x=NUMBER)),
        (obj(("x",), x=NUMBER), obj(("x",), x={"type": ["number", "string"]})),
        (obj(("x",), x=INT), obj(("x",), x=INT, y=TEXT)),
        (obj(("x",), x=INT, y=TEXT), obj(("x",), x=INT)),
    ],
    ids=[
        "integer into number",
        "number into number or text",
        "optional extra of the consumer",
        "extra of the producer",
    ],
)
def test_what_fits_passes(produced: Any, accepted: Any) -> None:
    report = inspect(pipeline((None, produced), (accepted, None)))
    assert isinstance(report.hops[0].verdict, Compatible)
    assert report.answer == "yes"


@pytest.mark.parametrize(
    ("produced", "accepted"),
    [
        ({"type": "array", "items": TEXT}, {"type": "array", "items": INT}),
        ({"enum": ["a", "b", "z"]}, {"enum": ["a", "b"]}),
        (obj(x=INT), obj(("y",), x=INT, y=INT)),
        (TEXT, {"type": "array"}),
    ],
    ids=["array of text into array of integers", "a value too many", "required but not declared", "text into array"],
)
def test_what_does_not_fit_fails_with_a_witness(produced: Any, accepted: Any) -> None:
    report = inspect(pipeline((None, produced), (accepted, None)))
    verdict = report.hops[0].verdict
    assert isinstance(verdict, Incompatible)
    assert verdict.reasons
    assert report.answer == "no"


def test_a_property_that_is_listed_but_not_required_fails_with_the_message_lacking_it() -> None:
    report = inspect(pipeline((None, obj(("x",), x=INT, y=INT)), (obj(("y",), y=INT), None)))
    verdict = report.hops[0].verdict
    assert isinstance(verdict, Incompatible)
    assert "x" in verdict.witness
    assert "y" not in verdict.witness


def test_under_the_strict_policy_undeclared_properties_count() -> None:
    document = pipeline((None, obj(("x",), x=INT)), (obj(("x",), x=INT, y=TEXT), None))
    assert inspect(document).answer == "yes"
    assert inspect(document, policy="strict").answer == "no"


def test_a_missing_schema_is_undeclared_which_is_neither_a_fault_nor_compatible() -> None:
    document = pipeline((None, TEXT), (None, INT), (INT, None))
    report = inspect(document)
    assert (report.answer, report.problems) == ("undeclared", [])
    assert [(hop.state, hop.verdict is None) for hop in report.hops] == [("undeclared", True), ("compatible", False)]
    assert "$.modules[1].input_schema" in report.hops[0].note
    assert inspect(document, allow_undeclared=True).answer == "yes"


def test_one_module_alone_is_a_pipeline_without_hops() -> None:
    report = inspect(pipeline((INT, TEXT)))
    assert (report.answer, report.hops) == ("yes", [])


def test_no_fault_hides_another() -> None:
    """Form, malformed schemas and a hop that does not fit, all in one report."""
    document = pipeline(
        (None, {"type": "objct", "properties": {"a": {"type": 5}}}), ({"$ref": "#/nowhere"}, TEXT), (INT, TEXT)
    )
    document["unknown"] = 1
    report = inspect(document)
    places = [problem.path for problem in report.problems]
    assert "$.unknown" in places
    assert "$.modules[0].output_schema.type" in places
    assert "$.modules[0].output_schema.properties.a.type" in places
    assert "$.modules[1].input_schema" in places
    assert "malformed" in report.hops[0].note
    assert isinstance(report.hops[1].verdict, Incompatible)


def test_a_fault_in_a_list_is_named_by_its_index() -> None:
    document = pipeline(({"anyOf": [True, {"pattern": "("}]}, None))
    (problem,) = inspect(document).problems
    assert problem.path.startswith("$.modules[0].input_schema.anyOf[1]")


@pytest.mark.parametrize("document", [None, 3, [], {}, {"modules": 3}, {"modules": [1, None, {}]}])
def test_any_json_value_gets_a_report(document: Any) -> None:
    report = inspect(document)
    assert report.answer == "no"
    assert report.problems

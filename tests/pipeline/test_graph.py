"""Graphs of steps: their order, their faults, and what is proved of each way through them."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.errors import ConfigurationError
from claude_comm.pipeline import ids, shapes
from claude_comm.pipeline.check import PipelineReport, check_pipeline, inspect
from claude_comm.pipeline.document import read
from claude_comm.pipeline.facts import registered
from claude_comm.pipeline.graph import graph
from claude_comm.pipeline.plan import plan
from claude_comm.registry.contracts import contract
from claude_comm.schema.dialect import URI
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.validation.validator import compile_validator
from tests.support.pipelines import ASK, document, step

TEXT, INT = {"type": "string"}, {"type": "integer"}


def obj(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required or properties)}


def takes(name: str, accepted: Any, returned: Any = None, **more: Any) -> dict[str, Any]:
    schemas = {"input_schema": accepted} | ({} if returned is None else {"output_schema": returned})
    return step(name, **schemas, **more)


def states(report: PipelineReport) -> dict[str, str]:
    return {f"{hop.producer} -> {hop.consumer}": hop.state for hop in report.hops}


def faults(*steps: dict[str, Any]) -> list[str]:
    return [f"{problem.path}: {problem.sentence}" for problem in inspect(document(*steps)).problems]


def test_steps_stand_in_an_order_in_which_they_can_be_done() -> None:
    pipeline = read(document(step("c", after=["a", "b"]), step("b", after="a"), step("a", after=[]))).pipeline
    assert pipeline is not None
    made, _ = graph(pipeline)
    assert made is not None
    assert list(made.steps) == ["a", "b", "c"]
    assert (made.ends, made.followers["a"], made.followers[""]) == (("c",), ("c", "b"), ("a",))


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([step("a"), step("a")], "$.modules[1].name: a step is called 'a' already"),
        ([step("first", after=[]), step("b", after="frist")], "$.modules[1].after: no step is called 'frist'. Did you"),
        ([step("a", after="c"), step("b", after="a"), step("c", after="b")], "in a circle: "),
        ([step("a", after=[]), step("b", after=["a", "a"])], "$.modules[1].after: a step is named twice"),
        ([step("a"), step("b", version=">> 2")], "$.modules[1].version: '>> 2' is no version range"),
        ([step("a"), step("b", repeat={"from": "x", "most": 2})], "$.modules[1].repeat.from: no step is called 'x'"),
        ([step("a", repeat={"from": "a", "most": 1})], "$.modules[0].repeat.most"),
        ([step("a"), step("b", adapter=[{"step": "melt"}])], "$.modules[1].adapter: invalid value 'melt'"),
        ([step("a"), step("b", aliases={"x": "y"})], "$.modules[1].aliases: expected `array`"),
        ([step("a", when={"type": "objct"})], "$.modules[0].when.type"),
        (
            [step("a", after=[]), step("b", after="a"), step("c", after="a"), step("d", after=["b", "c"], when={})],
            "$.modules[3].when: a step that joins others has no condition",
        ),
        (
            [
                step("a", after=[]),
                step("b", after="a"),
                step("c", after="a"),
                step("d", after=["b", "c"], repeat={"from": "a", "most": 2}),
            ],
            "$.modules[3].repeat: from 'a' to 'd' there is no chain",
        ),
        (
            [step("a", after=[]), step("b", after="a"), step("c", after="a"), step("d", after=["b", "c"], carry=["x"])],
            "$.modules[3].carry: a step that joins others carries nothing",
        ),
        (
            [
                step("a", split=True),
                step("b", after="a"),
                step("c", after="a"),
                step("d", after=["b", "c"], gather="a"),
            ],
            "$.modules[3].after: a step that gathers items comes after one step",
        ),
        (
            [step("a", repeat={"from": "a", "most": 2, "while": {"type": "objct"}})],
            "$.modules[0].repeat.while.type",
        ),
    ],
)
def test_a_fault_has_its_place(steps: list[dict[str, Any]], says: str) -> None:
    assert any(says in fault for fault in faults(*steps)), faults(*steps)


def test_a_field_that_a_step_between_drops_is_told_with_who_had_it() -> None:
    report = inspect(
        document(
            takes("one", True, obj(price=INT, name=TEXT)),
            takes("two", obj(name=TEXT), obj(name=TEXT)),
            takes("three", obj(name=TEXT), obj(name=TEXT, size=INT)),
            takes("four", obj(price=INT, name=TEXT)),
        )
    )
    assert states(report) == {"one -> two": "compatible", "two -> three": "compatible", "three -> four": "incompatible"}
    (missing,) = report.hops[2].missing
    assert (missing.field, missing.had_by, missing.dropped_by) == ("price", ("one",), ("two", "three"))
    assert missing.sentence == "`four` needs `price`: `one` has it, and `two` and `three` drop it."
    assert [(mend.step, mend.name, mend.value) for mend in report.hops[2].mends] == [
        ("two", "carry", ["price"]),
        ("three", "carry", ["price"]),
    ]


@pytest.mark.parametrize("how", ["passes", "carry"])
def test_a_field_that_is_handed_on_is_there_with_its_schema(how: str) -> None:
    def report(wanted: Any) -> PipelineReport:
        return inspect(
            document(
                takes("one", True, obj(price=INT, name=TEXT)),
                takes("two", obj(name=TEXT), obj(name=TEXT), **{how: ["price"]}),
                takes("three", obj(price=wanted, name=TEXT)),
            )
        )

    assert report(INT).answer == "yes"
    assert report(TEXT).answer == "no"


def test_everything_is_handed_on_by_a_star() -> None:
    report = inspect(
        document(
            takes("one", True, obj(price=INT, name=TEXT)),
            takes("two", obj(name=TEXT), obj(size=INT), passes=["*"]),
            takes("three", obj(price=INT, name=TEXT, size=INT)),
        )
    )
    assert report.answer == "yes"


def test_a_condition_narrows_what_enters_and_widens_nothing() -> None:
    kinds = {"enum": ["pdf", "text"]}
    pdf = {"properties": {"kind": {"const": "pdf"}}}
    steps = [
        takes("source", True, obj(kind=kinds)),
        takes("pdfs", obj(kind={"const": "pdf"}), obj(kind={"const": "text"}), when=pdf),
        takes("texts", obj(kind={"const": "text"})),
    ]
    report = inspect(document(*steps))
    assert states(report) == {
        "source -> pdfs": "compatible",
        "pdfs -> texts": "compatible",
        "source (past pdfs) -> texts": "compatible",
    }
    assert inspect(document(steps[0], {**steps[1], "when": {}}, steps[2])).answer == "no"


def test_a_join_is_given_an_object_of_its_branches() -> None:
    def report(*required: str, when: Any = True) -> PipelineReport:
        return inspect(
            document(
                takes("a", True, obj(n=INT), after=[]),
                takes("b", obj(n=INT), TEXT, after="a", when=when),
                takes("c", obj(n=INT), INT, after="a"),
                takes("d", obj(*required, b=TEXT, c=INT), after=["b", "c"]),
            )
        )

    assert report("b", "c").answer == "yes"
    large = {"properties": {"n": {"minimum": 10}}}
    refused = report("b", "c", when=large)
    assert states(refused)["b and c -> d"] == "incompatible"
    assert report("c", when=large).answer == "yes"


def test_references_mean_the_same_in_what_is_made_of_several_schemas() -> None:
    def named(kind: Any) -> Any:
        return {"$ref": "#/$defs/It", "$defs": {"It": obj(value={"$ref": "#/$defs/V"}), "V": kind}}

    steps = [
        takes("a", True, named(INT), after=[]),
        takes("b", named(INT), named(TEXT), after="a"),
        takes("c", named(INT), named(INT), after="a"),
    ]
    fits = takes("d", obj(b=obj(value=TEXT), c=obj(value=INT)), after=["b", "c"])
    swapped = takes("d", obj(b=obj(value=INT), c=obj(value=INT)), after=["b", "c"])
    assert inspect(document(*steps, fits)).answer == "yes"
    assert inspect(document(*steps, swapped)).answer == "no"


def test_an_optional_step_is_proved_with_and_without_what_it_does() -> None:
    def report(last: Any) -> PipelineReport:
        return inspect(
            document(
                takes("a", True, obj(n=INT)),
                takes("b", obj(n=INT), obj(n=TEXT), optional=True),
                takes("c", obj(n=last)),
            )
        )

    assert states(report(TEXT)) == {
        "a -> b": "compatible",
        "b -> c": "compatible",
        "b (past b) -> c": "incompatible",
    }
    assert report({"type": ["integer", "string"]}).answer == "yes"


def test_a_loop_is_proved_on_its_way_back() -> None:
    def report(returned: Any, condition: Any = True) -> PipelineReport:
        return inspect(
            document(
                takes("a", True, obj(n=INT)),
                takes("b", obj(n=INT), obj(n=INT)),
                takes("c", obj(n=INT), obj(n=returned), repeat={"from": "b", "most": 3, "while": condition}),
                takes("d", True),
            )
        )

    assert states(report(INT))["c -> b"] == "compatible"
    mixed = {"type": ["integer", "string"]}
    assert states(report(mixed))["c -> b"] == "incompatible"
    assert states(report(mixed, {"properties": {"n": INT}}))["c -> b"] == "compatible"


def test_aliases_are_taken_and_likenesses_only_proposed() -> None:
    steps = [
        takes("sparta", True, obj(pdf_path=TEXT, title=TEXT)),
        takes("marker", obj(file_path=TEXT)),
    ]
    (hop,) = inspect(document(*steps)).hops
    (mend,) = hop.mends
    assert (hop.state, mend.name, mend.value, mend.proved) == (
        "incompatible",
        "aliases",
        {"file_path": ["pdf_path"]},
        True,
    )
    assert "`marker` needs `file_path`, which has no source" in hop.missing[0].sentence
    report = inspect(document(steps[0], {**steps[1], mend.name: mend.value}))
    assert (report.answer, report.hops[0].state) == ("yes", "adapted")


def test_a_proposed_adapter_mends_the_hop_when_it_is_written_down() -> None:
    steps = [takes("a", True, obj(item=TEXT)), takes("b", obj(item={"type": "array", "items": TEXT}))]
    (hop,) = inspect(document(*steps)).hops
    (mend,) = hop.mends
    assert (mend.name, mend.proved) == ("adapter", True)
    report = inspect(document(steps[0], {**steps[1], mend.name: mend.value}))
    assert (report.answer, report.hops[0].state) == ("yes", "adapted")


def test_an_adapter_that_does_not_help_is_said_with_a_witness() -> None:
    wrong = [{"step": "rename", "name": "x", "to": "z"}]
    steps = [takes("a", True, obj(x=TEXT)), takes("b", obj(y=TEXT), adapter=wrong)]
    (hop,) = inspect(document(*steps)).hops
    assert hop.state == "incompatible"
    assert hop.verdict is not None
    assert hop.verdict.answer == "incompatible"
    assert "z" in hop.verdict.witness


def test_the_inputs_are_held_to_the_first_step_where_they_are_declared() -> None:
    first = takes("a", obj(n=INT))
    assert inspect(document(first, input_schema=obj(n=INT))).answer == "yes"
    assert states(inspect(document(first, input_schema=obj(n=TEXT)))) == {"the input -> a": "incompatible"}
    assert inspect(document(first)).hops == []


def test_a_vacuous_producer_is_impossible() -> None:
    checked = check_pipeline(document(takes("a", True, False), takes("b", obj(n=INT))), ASK)
    assert [hop.state for hop in checked.report.hops] == ["impossible"]
    assert checked.report.answer == "no"


def test_a_pre_release_that_its_range_leaves_out_says_what_to_write() -> None:
    resolve = registered({"b": [contract("b", version="2.0.0-beta.3", accepts=True)]}, ["b"])
    report = check_pipeline(document(step("b", version="^2.0")), ASK, resolve=resolve).report
    assert [problem.sentence for problem in report.problems] == [
        "'b' is registered as version 2.0.0-beta.3, which is not '^2.0'. 2.0.0-beta.3 comes before 2.0.0: "
        "write '>=2.0.0-beta.3', or the version itself."
    ]
    wider = check_pipeline(document(step("b", version=">=2.0.0-beta.3")), ASK, resolve=resolve).report
    assert wider.problems == []


def test_a_type_that_the_module_does_not_accept_is_a_fault() -> None:
    resolve = registered({"b": [contract("b", accepts={"x": True, "y": True})]}, ["b"])
    for named, says in (({"type": "z"}, "accepts 'x', 'y' messages, not 'z'"), ({}, "name one of them as `type`")):
        report = check_pipeline(document(step("b", **named)), ASK, resolve=resolve).report
        (problem,) = report.problems
        assert problem.path == "$.modules[0].type"
        assert says in problem.sentence


def test_what_code_decides_leaves_a_pipeline_undecided() -> None:
    coded = {"type": "object", OPAQUE: "a validator decides"}
    assert inspect(document(takes("a", True, obj(n=INT)), takes("b", coded))).answer == "undecided"


def test_a_route_has_so_many_ways_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check_pipeline(document(takes("a", True, INT), takes("b", INT)), ASK)
    assert len(plan(checked, "s", {})) == 4
    monkeypatch.setattr(ids, "MAX_EDGES", 2)
    with pytest.raises(ConfigurationError, match="at most 2 ways"):
        plan(checked, "s", {})


def test_of_items_that_no_keyword_tells_nothing_is_known() -> None:
    assert shapes.items({"enum": [[1]]}) is True
    assert shapes.items({"type": "array", "items": INT}) == INT


def test_a_property_is_carried_past_a_composed_schema_and_not_between_dialects() -> None:
    composed: Any = {"allOf": [obj(n=INT)]}
    whole: Any = shapes.with_fields(composed, obj(price=INT), ["price"])
    assert [compile_validator(whole).accepts(value) for value in ({"n": 1, "price": 2}, {"n": 1}, {"price": 2})] == [
        True,
        False,
        False,
    ]
    with pytest.raises(shapes.Mixed, match="draft7"):
        shapes.with_fields(obj(n=INT), {"$schema": URI["draft7"], **obj(price=INT)}, ["price"])

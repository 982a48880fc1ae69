"""The form of configuration documents."""

from __future__ import annotations

from typing import Any

import pytest

from claude_comm.documents import form
from claude_comm.documents.form import DocumentKind
from claude_comm.errors import InvalidDocument

# The keywords that `form._walk` takes apart soundly: each holds or fails on its own.
INDEPENDENT = {
    "$schema", "title", "description", "type", "required", "properties", "items", "additionalProperties",
    "patternProperties", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern",
}  # fmt: skip

PAIR = {"source": "a", "target": "b"}
GOOD: dict[DocumentKind, Any] = {
    "pipeline": {"pipeline_name": "p", "modules": [{"name": "a", "version": "1"}]},
    "negotiation": {"source_module": "a", "target_module": "b", "schema": {"input": {}, "output": True}},
    "session": {"session_id": "s", "monitoring": {"interval_seconds": 1, "metrics": ["messages"]}},
    "communication": {"module_pairs": [PAIR], "include_metrics": True},
}


@pytest.mark.parametrize("kind", GOOD)
def test_a_document_of_the_right_form_has_no_problem(kind: DocumentKind) -> None:
    assert form.problems(kind, GOOD[kind]) == []


@pytest.mark.parametrize("kind", GOOD)
@pytest.mark.parametrize("value", [None, 1, "text", [], True])
def test_what_is_no_object_at_all_is_one_problem(kind: DocumentKind, value: object) -> None:
    assert [problem.path for problem in form.problems(kind, value)] == ["$"]


@pytest.mark.parametrize("kind", GOOD)
def test_our_schemas_use_only_keywords_that_can_be_taken_apart(kind: DocumentKind) -> None:
    def keywords(schema: dict[str, Any]) -> set[str]:
        inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return set(schema).union(*map(keywords, inner))

    assert keywords(form.schema_of(kind)) <= INDEPENDENT


def test_every_problem_is_listed_with_its_place() -> None:
    document = {
        "pipeline_name": "",
        "modles": 1,
        "modules": [{"version": 2}, "text", {"name": "no spaces", "version": "1", "config": []}],
    }
    assert {problem.path for problem in form.problems("pipeline", document)} == {
        "$.pipeline_name",
        "$.modles",
        "$.modules[0]",
        "$.modules[0].version",
        "$.modules[1]",
        "$.modules[2].name",
        "$.modules[2].config",
    }


def test_a_near_name_is_proposed_and_own_names_begin_with_x() -> None:
    document = {**GOOD["communication"], "include_metric": True, "x-owner": "us"}
    (problem,) = form.problems("communication", document)
    assert problem.path == "$.include_metric"
    assert "'include_metrics'" in problem.sentence


def test_whatever_the_whole_schema_refuses_is_explained_by_at_least_one_part() -> None:
    """Each single fault, put into a good document, is found again by the parts."""
    for kind, good in GOOD.items():
        for name in good:
            for wrong in (None, 7, [], [1], "\x00", {"": 0}):
                document = {**good, name: wrong}
                refused = form._refusal(form._compiled(kind), document) is not None
                assert bool(list(form._walk(form.schema_of(kind), document, ()))) is refused, (kind, document)


def test_require_raises_with_the_origin_and_all_problems() -> None:
    with pytest.raises(InvalidDocument, match=r"pairs\.json cannot be used:\n  \$") as caught:
        form.require("communication", {"module_pairs": [{}, {}]}, "pairs.json")
    assert len(caught.value.problems) == 4

"""`check`, `validate-pipeline`, `verify-compatibility`: answers, exit codes, and files that cannot be used."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from claude_comm.schema import Undecided, bounded

TEXTS, INTEGERS = {"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "integer"}}
EXAMPLE = {
    "pipeline_name": "data_processing_pipeline",
    "modules": [
        {
            "name": "ingestion_module",
            "version": "1.0.0",
            "output_schema": {"type": "object", "properties": {"raw_data": {"type": "array"}}},
        },
        {
            "name": "transformation_module",
            "version": "1.0.0",
            "input_schema": {"type": "object", "properties": {"raw_data": {"type": "array"}}},
            "output_schema": {"type": "object", "properties": {"transformed_data": {"type": "array"}}},
        },
    ],
}


def test_check_exits_with_the_answer(run: Any, file: Callable[..., str]) -> None:
    assert run("check", file(INTEGERS), file({"type": "array"})).code == 0
    refused = run("check", file(TEXTS), file(INTEGERS))
    assert refused.code == 1
    assert "which the consumer refuses" in refused.out


def test_check_that_cannot_be_decided_exits_with_4(run: Any, file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Undecided(place="/pattern", why="too hard.")
    monkeypatch.setattr(bounded, "check", lambda *_arguments, **_options: found)
    ran = run("check", file({}), file({}))
    assert (ran.code, ran.out.splitlines()) == (4, ["undecided: too hard. (at /pattern)"])


def test_check_as_json_carries_the_verdict(run: Any, file: Callable[..., str]) -> None:
    ran = run("check", file(TEXTS), file(INTEGERS), "--json")
    assert ran.code == 1
    assert ran.json["answer"] == "incompatible"
    assert ran.json["reasons"][0]["path"] == "$[0]"


def test_check_reads_one_schema_from_stdin(run: Any, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"type": "array"}')))
    assert run("check", file(INTEGERS), "-").code == 0
    assert run("check", "-", "-").code == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("{", "line 1, column 2"),
        ('{"a":\n [1,]}', "line 2"),
        ('{"minimum": NaN}', "NaN"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('"\\ud800"', "not JSON"),
        ("1" * 5_000, "not JSON"),
        ("7", "boolean or an object"),
        ('{"type": "no\\u001b[31m"}', "$.type"),
        ('{"items": {"$ref": "https://example.org/schema"}}', "reference"),
        ('{"$schema": "http://example.org/own"}', "$schema"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_message(
    run: Any, file: Callable[..., str], content: str | bytes, says: str
) -> None:
    name = file(content)
    ran = run("check", name, file({}))
    assert (ran.code, ran.out) == (2, "")
    assert name in ran.err
    assert says in ran.err
    assert "\x1b" not in ran.err


def test_a_missing_file_and_a_folder_are_named(run: Any, tmp_path: Any) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        ran = run("validate-pipeline", path)
        assert ran.code == 2
        assert str(path) in ran.err


def test_the_example_pipeline_is_valid(run: Any, file: Callable[..., str]) -> None:
    for command in ("validate-pipeline", "verify-compatibility"):
        assert run(command, file(EXAMPLE)).code == 0
    report = run("validate-pipeline", file(EXAMPLE), "--json").json
    assert (report["answer"], report["problems"], len(report["hops"])) == ("yes", [], 1)


def test_validate_lists_every_problem_and_says_no(run: Any, file: Callable[..., str]) -> None:
    document = {"modules": [{"name": "a", "output_schema": TEXTS}, {"version": "1", "input_schema": INTEGERS}]}
    ran = run("validate-pipeline", file(document))
    assert ran.code == 1
    for says in ("'pipeline_name' is missing", "$.modules[0]: 'version'", "$.modules[1]: 'name'", "a -> modules[1]"):
        assert says in ran.out


def test_verify_gives_the_verdicts_alone(run: Any, file: Callable[..., str]) -> None:
    modules = [
        {"name": "a", "version": "1", "output_schema": TEXTS},
        {"name": "b", "version": "1", "input_schema": INTEGERS},
    ]
    ran = run("verify-compatibility", file({"pipeline_name": "p", "modules": modules}), "--json")
    assert ran.code == 1
    assert [hop["verdict"]["answer"] for hop in ran.json] == ["incompatible"]
    assert run("verify-compatibility", file({"modules": modules})).code == 2

"""`check --batch`: a line out for each line in, whatever the lines hold."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from claude_comm.cli import documents
from tests.support.clocks import processor
from tests.support.homes import child_environ
from tests.support.schemas.not_regular import NOT_REGULAR
from tests.support.waiting import PATIENCE_S

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
OPEN = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
# Under `strict` a message of OPEN may have a number in `b`.
WITH_B = {**OPEN, "properties": {"a": TEXT, "b": TEXT}}


def pair(id_: Any, sub: Any, sup: Any, **more: Any) -> dict[str, Any]:
    return {"id": id_, "dialect": "draft2020-12", "sub": sub, "sup": sup, **more}


@pytest.fixture
def batch(run: Any, file: Callable[..., str]) -> Callable[..., Any]:
    """Runs a batch of these lines: its exit code, and what was written for each line."""

    def run_(lines: list[Any], *options: str) -> tuple[int, list[dict[str, Any]]]:
        raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        ran = run("check", "--batch", file(b"\n".join(raw)), *options)
        assert ran.err == ""
        return ran.code, [json.loads(line) for line in ran.out.splitlines()]

    return run_


def test_a_producer_that_can_send_nothing_passes_no_batch_under_either_policy(batch: Any) -> None:
    code, shown = batch([pair("empty", False, TEXT)], "--strict")
    assert (code, shown[0]["answer"]) == (1, "compatible")
    assert "can send nothing" in shown[0]["vacuous"]
    code, shown = batch([pair("empty", False, TEXT)])
    assert (code, shown[0]["answer"]) == (1, "impossible")


def test_every_pair_has_its_verdict_in_the_order_of_the_lines(batch: Any) -> None:
    code, found = batch([pair("yes", WHOLE, NUMBER), pair(7, NUMBER, WHOLE), pair("again", TEXT, TEXT)])
    assert [(one["id"], one["answer"]) for one in found] == [
        ("yes", "compatible"),
        (7, "incompatible"),
        ("again", "compatible"),
    ]
    assert code == 1
    assert isinstance(found[1]["witness"], float)
    assert found[1]["reasons"][0]["rule"] == "type"
    assert all(one["elapsed_ms"] > 0 for one in found)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([], 0),
        (["yes", "yes"], 0),
        (["yes", "open"], 4),
        (["open", "no", "yes"], 1),
        (["no", "broken", "open"], 2),
        (["broken"], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_line(batch: Any, answers: list[str], code: int) -> None:
    lines = {
        "yes": pair("yes", WHOLE, NUMBER),
        "no": pair("no", NUMBER, WHOLE),
        "open": pair("open", *NOT_REGULAR),
        "broken": b"{",
    }
    assert batch([lines[answer] for answer in answers])[0] == code


def test_undecided_says_where_and_why(batch: Any) -> None:
    code, (found,) = batch([pair("open", *NOT_REGULAR)])
    assert (code, found["answer"]) == (4, "undecided")
    assert found["why"]
    assert "place" in found


def test_the_policy_is_that_of_the_whole_batch(batch: Any) -> None:
    assert batch([pair(1, OPEN, WITH_B)])[0] == 0
    assert batch([pair(1, OPEN, WITH_B)], "--strict")[0] == 1


def test_the_dialect_holds_for_a_schema_without_its_own(batch: Any) -> None:
    """In draft 4 the limit itself is excluded by a boolean, which later dialects refuse."""
    limited = {"type": "number", "minimum": 0, "exclusiveMinimum": True}
    later = {"type": "number", "exclusiveMinimum": 0}
    modern = {"$schema": "https://json-schema.org/draft/2020-12/schema", **later}
    code, found = batch(
        [pair("old", limited, modern, dialect="draft4"), pair("new", limited, modern, dialect="draft2020-12")]
    )
    assert code == 2
    assert found[0]["answer"] == "compatible"
    assert found[1]["error"].startswith("line 2: ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line 2 of"),
        (b'{"id": NaN}', "NaN"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 50_000, "nested too deep"),
        (b'{"id": 1, "sub": ' + b"[" * 300 + b"]" * 300 + b', "sup": {}}', "an object or a boolean"),
        (b'{"id": 1, "sub": ' + b'{"not":' * 300 + b"{}" + b"}" * 300 + b', "sup": {}}', "deep"),
        (b'{"id": 1, "sub": {"minimum": 1' + b"0" * 5_000 + b'}, "sup": {}}', "line 2"),
        (b'{"id": 1, "sub": {"minimum": 1' + b"0" * 1_000 + b'}, "sup": {}}', "digits"),
        (b'{"id": 1, "sub": {"minimum": 1e999}, "sup": {}}', "not JSON"),
        (b'{"id": 1, "sub": {"const": "\\ud800"}, "sup": {}}', "not JSON"),
        (b"7", "an object with"),
        (b"{}", "`id`, `sub`, `sup` missing"),
        (b'{"id": 1, "sub": {}}', "`sup` missing"),
        (b'{"id": [[]], "sub": {}, "sup": {}}', "`id`"),
        (b'{"id": 1, "sub": {}, "sup": {}, "dialect": "draft3"}', "draft2019-09"),
        (b'{"id": 1, "sub": {}, "sup": {}, "dialect": ["draft7"]}', "`dialect`"),
        (b'{"id": 1, "sub": {"type": "no\\u001b[31m"}, "sup": {}}', "line 2"),
        (b'{"id": 1, "sub": {"$ref": "https://example.org/schema"}, "sup": {}}', "reference"),
        (b'{"id": 1, "sub": {"$schema": "http://example.org/own"}, "sup": {}}', "$schema"),
        (b'{"id": 1, "sub": [], "sup": {}}', "a schema is"),
    ],
)
def test_a_line_that_cannot_be_used_says_why_and_stops_nothing(batch: Any, line: bytes, says: str) -> None:
    code, found = batch([pair("before", WHOLE, NUMBER), line, pair("after", NUMBER, WHOLE)])
    assert code == 2
    assert [one.get("answer") for one in found] == ["compatible", None, "incompatible"]
    assert found[1]["line"] == 2
    assert found[1]["error"].startswith("line 2")
    assert says in found[1]["error"]


def test_empty_lines_count_and_are_left_out(batch: Any) -> None:
    code, found = batch([b"", pair("a", WHOLE, NUMBER), b"  \r", b"no"])
    assert (code, [one["id"] for one in found], found[1]["line"]) == (2, ["a", None], 4)


def test_a_line_over_the_limit_is_passed_over(batch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 1_000)
    long = pair("long", {"const": "x" * 5_000}, {})
    code, found = batch([pair("before", WHOLE, NUMBER), long, pair("after", WHOLE, NUMBER)])
    assert (code, [one["id"] for one in found]) == (2, ["before", None, "after"])
    assert "line 2" in found[1]["error"]
    assert "larger" in found[1]["error"]


def test_numbers_of_any_size_come_back_as_they_are(batch: Any) -> None:
    large = 10**40 + 1
    _, (found,) = batch([pair(large, {"const": large}, {"const": 10**40})])
    assert (found["id"], found["witness"]) == (large, large)


def test_an_evil_line_takes_no_more_than_its_budget(batch: Any) -> None:
    names = [f"p{number}" for number in range(40)]
    some = {"anyOf": [{"required": [name]} for name in names]}
    evil = {"allOf": [{"anyOf": [{"properties": {n: {"minimum": i}}} for n in names[i:]]} for i in range(20)]}
    with processor(3 * 200):
        _, found = batch([pair(n, {**evil, "type": "object"}, some) for n in range(3)], "--budget", "200", "--strict")
    assert len(found) == 3


def test_stdin_is_a_batch_as_well(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(pair("a", WHOLE, NUMBER)).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    ran = run("check", "--batch", "-", "--json")
    assert (ran.code, ran.json["answer"]) == (0, "compatible")


def test_a_verdict_is_written_before_the_next_line_is_read() -> None:
    command = [sys.executable, "-m", "claude_comm", "check", "--batch", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=child_environ()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(json.dumps(pair(number, WHOLE, NUMBER)) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def test_a_batch_file_that_cannot_be_read_is_named(run: Any, tmp_path: Any) -> None:
    for path in (tmp_path / "missing.jsonl", tmp_path):
        ran = run("check", "--batch", path)
        assert (ran.code, ran.out) == (2, "")
        assert str(path) in ran.err


@pytest.mark.parametrize("arguments", [["a.json"], ["a.json", "b.json", "--batch", "c"], ["a.json", "--batch", "c"]])
def test_either_two_schemas_or_a_batch(run: Any, arguments: list[str]) -> None:
    ran = run("check", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "--batch" in ran.err
    assert "Usage: claude-comm check" in ran.err

"""`validate-pipeline`, `run-pipeline` and `conversation`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import Publisher, Settings
from claude_comm.transport.driver import Client
from tests.support.pipelines import document, module, step, up
from tests.support.waiting import wait_until

OBJECT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
LINKED = document(
    step("a", output_schema=OBJECT),
    step("b", input_schema=OBJECT, output_schema=OBJECT),
    step("c", input_schema=OBJECT),
)
TOML = """
pipeline_name = "p"
[[modules]]
name = "a"
version = "^1.0"
output_schema = { type = "object", properties = { n = { type = "integer" } }, required = ["n"] }
[[modules]]
name = "b"
version = ">=1, <2"
input_schema = { type = "object", properties = { n = { type = "integer" } }, required = ["n"] }
"""
YAML = """
pipeline_name: p
modules:
  - name: a
    version: "1.0"
    output_schema: &n {type: object, properties: {n: {type: integer}}, required: [n]}
  - {name: b, version: "1.0", input_schema: *n}
"""


class Number(msgspec.Struct):
    n: int


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def modules(client: Client, settings: Settings) -> Iterator[None]:
    """`a` and `b` add one, `c` refuses three; `typed` says what it takes."""

    def add_one(payload: Any) -> Any:
        return {"n": payload["n"] + 1}

    def picky(payload: Any) -> Any:
        if payload["n"] == 3:
            raise ValueError("three is too many")
        return payload["n"]

    def typed(payload: Number) -> int:
        return payload.n

    functions = {"a": add_one, "b": add_one, "c": picky, "typed": typed}
    with up(client, settings, *(module(settings, name, function) for name, function in functions.items())):
        yield


def lines(path: Path, *values: Any) -> str:
    path.write_text("".join(value if isinstance(value, str) else json.dumps(value) + "\n" for value in values))
    return str(path)


@pytest.mark.parametrize(("name", "text"), [("p.toml", TOML), ("p.yaml", YAML), ("p.yml", YAML)])
def test_a_pipeline_may_be_written_in_toml_and_yaml(run: Any, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    report = run("validate-pipeline", tmp_path / name, "--json").json
    assert (report["answer"], [hop["state"] for hop in report["hops"]]) == ("yes", ["compatible"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.toml", "= =", "is not TOML"),
        ("p.yaml", "a: [", "is not YAML"),
        ("p.yaml", "pipeline_name: 2026-01-01\nmodules: []", "$.pipeline_name: 2026-01-01 is a date"),
        ("p.yaml", "1: x", "the key 1 is a int"),
        ("p.yaml", "a: &a [x, *a]", "or is nested more than 200 deep"),
        ("p.yaml", b"\xff\xfe\x00", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_pipeline_says_why(run: Any, tmp_path: Path, name: str, text: Any, says: str) -> None:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = run("validate-pipeline", tmp_path / name)
    assert ran.code == 2
    assert says in ran.err


def test_a_step_without_a_schema_is_undeclared_and_no_yes(run: Any, file: Callable[..., str]) -> None:
    name = file(document(step("a"), step("b", input_schema=OBJECT)))
    ran = run("validate-pipeline", name)
    assert ran.code == 4
    assert "a -> b: undeclared: nothing to check: no schema at $.modules[0].output_schema." in ran.out
    assert run("verify-compatibility", name).code == 4
    assert run("validate-pipeline", name, "--allow-undeclared").code == 0


def test_a_hop_that_does_not_fit_is_shown_with_what_is_missing_and_would_mend_it(
    run: Any, file: Callable[..., str]
) -> None:
    text = {"type": "string"}
    had = {"type": "object", "properties": {"pdf_path": text}, "required": ["pdf_path"]}
    wanted = {"type": "object", "properties": {"file_path": text}, "required": ["file_path"]}
    ran = run("validate-pipeline", file(document(step("a", output_schema=had), step("b", input_schema=wanted))))
    assert ran.code == 1
    assert "`b` needs `file_path`, which has no source" in ran.out
    assert """to mend it, write at step 'b': "aliases": {"file_path":["pdf_path"]}""" in ran.out


@pytest.mark.usefixtures("modules")
def test_against_live_takes_the_registered_contracts(run: Any, file: Callable[..., str]) -> None:
    missing = file(document(step("a"), step("nobody"), step("b", version="^2")))
    ran = run("validate-pipeline", missing, "--against-live", "--allow-undeclared")
    assert ran.code == 1
    assert "$.modules[1].module: no module is registered as 'nobody'" in ran.out
    assert "$.modules[2].version: 'b' is registered as version 1.0.0, which is not '^2'" in ran.out
    optional = file(document(step("a"), step("nobody", optional=True), step("b", version="~1.0")))
    assert run("validate-pipeline", optional, "--against-live", "--allow-undeclared").code == 0


@pytest.mark.usefixtures("modules")
def test_a_run_writes_its_results_in_the_order_of_the_inputs(run: Any, file: Any, tmp_path: Path) -> None:
    given = lines(tmp_path / "in.jsonl", {"n": 5}, {"n": 1}, "no json\n", {"n": 7})
    ran = run("run-pipeline", file(LINKED), "--input", given, "--allow-undeclared", "--session", "s")
    assert ran.code == 1
    results = [json.loads(line) for line in ran.out.splitlines()]
    assert [(each["input"], each["status"]) for each in results] == [
        (0, "done"),
        (1, "failed"),
        (2, "failed"),
        (3, "done"),
    ]
    assert (results[0]["result"], results[3]["result"]) == (7, 9)
    assert (results[1]["step"], results[1]["module"]) == ("c", "c")
    assert "three is too many" in results[1]["reason"]
    assert "line 3 of" in results[2]["reason"]
    assert "failed    input 1: step c: " in ran.err
    assert "complete: 4 of 4 inputs have ended, 2 failed" in ran.err


@pytest.mark.usefixtures("modules")
def test_results_go_to_a_file_and_the_summary_to_stdout(run: Any, file: Any, tmp_path: Path) -> None:
    given, out = lines(tmp_path / "in.jsonl", {"n": 5}, {"n": 6}), tmp_path / "out.jsonl"
    name = file(LINKED)
    ran = run("run-pipeline", name, "--input", given, "--allow-undeclared", "--output", out, "--json", "--session", "s")
    assert ran.code == 0
    assert [json.loads(line)["result"] for line in out.read_text().splitlines()] == [7, 8]
    assert (ran.json["total"], ran.json["done"], ran.json["failed"]) == (2, 2, 0)
    assert "results" not in ran.json
    assert [step["step"] for step in ran.json["steps"]] == ["a", "b", "c"]
    again = run("run-pipeline", name, "--input", given, "--resume", "s", "--json")
    assert [each["result"] for each in again.json["results"]] == [7, 8]


@pytest.mark.usefixtures("modules")
def test_a_run_that_cannot_be_gone_on_with_says_why(run: Any, file: Any, tmp_path: Path) -> None:
    given, other = lines(tmp_path / "in.jsonl", {"n": 5}), lines(tmp_path / "other.jsonl", {"n": 6})
    name, another = file(LINKED), file({**LINKED, "pipeline_name": "another"})
    arguments = ("--input", given, "--allow-undeclared")
    assert run("run-pipeline", name, *arguments, "--session", "s").code == 0
    for command, code, says in (
        ((name, *arguments, "--session", "s"), 2, "there is a session 's' already"),
        ((name, "--input", given, "--resume", "nobody"), 3, "there is no session 'nobody'"),
        ((another, "--input", given, "--resume", "s"), 2, "runs another pipeline ('p' as it was then)"),
        ((name, "--input", other, "--resume", "s"), 2, "was given other inputs"),
        ((name, "--input", tmp_path / "none.jsonl"), 2, "cannot be read"),
    ):
        ran = run("run-pipeline", *command)
        assert (ran.code, says in ran.err) == (code, True), ran.err


@pytest.mark.usefixtures("modules")
def test_a_pipeline_that_is_not_proved_is_not_run(run: Any, file: Any, tmp_path: Path) -> None:
    given = lines(tmp_path / "in.jsonl", {"n": 5})
    undeclared = run("run-pipeline", file(LINKED), "--input", given)
    assert undeclared.code == 0, "the schemas of the document stand in for those that no contract has"
    text = {"type": "object", "properties": {"n": {"type": "string"}}}
    wrong = file(document(step("a", output_schema=text), step("typed")))
    refused = run("run-pipeline", wrong, "--input", given, "--allow-undeclared")
    assert refused.code == 1
    assert "a -> typed: incompatible" in refused.out
    assert "nothing was sent" in refused.err
    bare = file(document(step("a"), step("b")))
    assert run("run-pipeline", bare, "--input", given).code == 4
    assert run("run-pipeline", bare, "--input", given, "--unchecked").code == 0


@pytest.mark.usefixtures("modules")
def test_a_conversation_is_shown_as_a_thread(run: Any, file: Any, tmp_path: Path) -> None:
    given = lines(tmp_path / "in.jsonl", {"n": 1}, {"n": 5})
    run("run-pipeline", file(LINKED), "--input", given, "--allow-undeclared", "--session", "s")

    def turns() -> list[Any]:
        (first,) = (row for row in run("list", "--json").json if row["target"] == "a" and row["data"] == {"n": 1})
        return list(run("conversation", first["id"], "--json").json)

    wait_until(lambda: turns()[2]["status"] == "failed")
    assert [(turn["source"], turn["target"], turn["depth"]) for turn in turns()[1:3]] == [("a", "b", 1), ("b", "c", 2)]
    assert (turns()[3]["type"], turns()[3]["depth"]) == ("comm.failure", 3)
    assert {json.dumps(turn["data"])[:8] for turn in turns()[:3]} == {'{"n": 1}', '{"n": 2}', '{"n": 3}'}
    shown = run("conversation", turns()[2]["id"]).out
    assert "    b -> c (message)" in shown
    assert "three is too many" in shown


def test_a_conversation_without_correlation_follows_what_caused_what(run: Any, settings: Settings) -> None:
    with Publisher("a", settings=settings) as publisher:
        first = publisher.publish("b", 1)
        second = publisher.publish("c", 2, causation=first)
        publisher.publish("d", 3, causation=second)
        publisher.publish("e", 4)
        circle = publisher.publish("f", 5, causation="x" * 36)
    for start in (first, second):
        turns = run("conversation", start, "--json").json
        assert [(turn["target"], turn["depth"]) for turn in turns] == [("b", 0), ("c", 1), ("d", 2)]
    assert [turn["target"] for turn in run("conversation", circle, "--json").json] == ["f"]
    assert run("conversation", "nonesuch").code == 3

"""`schema explain`, `infer`, `diff` and `adapt`: data, words, exit codes, and files that cannot be used."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.homes import child_environ
from tests.support.schemas.not_regular import NOT_REGULAR
from tests.support.waiting import PATIENCE_S

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
HOSTILE_NAME = "a\x1b[31m\u202eb"


def record(required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}


SENT = record(["id", "price"], id=WHOLE, price=NUMBER)
TAKEN = record(id=TEXT, price={**NUMBER, "minimum": 0})
FILLED = record(id=TEXT, price=NUMBER, unit={**TEXT, "default": "EUR"})


def test_explain_says_every_reason_with_its_places_and_mends_on_both_sides(run: Any, file: Any) -> None:
    ran = run("schema", "explain", file(SENT), file(TAKEN))
    assert (ran.code, ran.err) == (1, "")
    for says in (
        "incompatible\n",
        "closed-producer: ",
        '"price": 0',
        "1. `id` may be an integer; the consumer needs a string",
        "2. `price` may be negative; the consumer needs at least 0",
        "in the message   $.price",
        "in the schema    /properties/price/minimum",
        "which says       minimum: 0",
        "fix              producer: ",
        "fix              consumer: ",
    ):
        assert says in ran.out


def test_explain_names_the_proof(run: Any, file: Any) -> None:
    ran = run("schema", "explain", file(record(n=WHOLE)), file(record(n=NUMBER)), "--strict")
    assert ran.code == 0
    assert ran.out.startswith("compatible\npolicy   strict: ")
    assert "\nproof    " in ran.out


def test_explain_says_that_the_consumer_takes_nothing(run: Any, file: Any) -> None:
    ran = run("schema", "explain", file({"type": "string"}), file({"type": "integer", "minimum": 2, "maximum": 1}))
    assert ran.code == 1
    assert "why      no message fits the consumer's schema: it accepts none" in ran.out.splitlines()


def test_explain_names_forms_that_can_never_be(run: Any, file: Any) -> None:
    ran = run("schema", "explain", file({"anyOf": [{"type": "string"}, False]}), file({"type": "string"}))
    assert ran.code == 0
    assert "note: the producer sends no message of the form /anyOf/1: no message fits it." in ran.out.splitlines()
    ran = run("check", file({"type": "integer"}), file({"anyOf": [{"type": "string"}, False]}), "--json")
    assert json.loads(ran.out)["empty_forms"] == [
        {"side": "accepted", "schema_path": "/anyOf/1", "why": "no message fits it"}
    ]


def test_explain_says_what_made_it_undecided(run: Any, file: Any) -> None:
    ran = run("schema", "explain", *map(file, NOT_REGULAR))
    assert (ran.code, ran.err) == (4, "")
    assert "\nplace    " in ran.out
    assert "\nwhy      " in ran.out


def test_explain_as_json_has_policy_dialects_and_verdict(run: Any, file: Any) -> None:
    old = {"$schema": "http://json-schema.org/draft-07/schema#", **SENT}
    ran = run("schema", "explain", file(old), file(TAKEN), "--json")
    assert ran.code == 1
    assert (ran.json["policy"], ran.json["dialects"]) == ("closed-producer", ["draft7", "draft2020-12"])
    assert len(ran.json["verdict"]["reasons"]) == 2


def test_infer_takes_each_file_as_a_sample(run: Any, file: Any) -> None:
    ran = run("schema", "infer", file({"a": 1, "b": "x"}), file({"a": 2.5}), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["properties"] == {"a": NUMBER, "b": TEXT}
    assert ran.json["required"] == ["a"]


def test_infer_takes_each_line_as_a_sample(run: Any, file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = run("schema", "infer", "--jsonl", file('{"a": 1}\n\n{"a": null}\n'), file('{"a": true}'))
    assert sorted(ran.json["properties"]["a"]["type"]) == ["boolean", "integer", "null"]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"1\n2\n")))
    assert run("schema", "infer", "--jsonl", "-").json["type"] == "integer"


def test_infer_names_the_line_that_it_cannot_use(run: Any, file: Any) -> None:
    name = file('{"a": 1}\n{"a": }\n')
    ran = run("schema", "infer", "--jsonl", name)
    assert (ran.code, ran.out) == (2, "")
    assert f"line 2 of {name} is not JSON" in ran.err
    assert "line 2, column 7" in ran.err


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[" * 90 + "]" * 90, '"\\ud800"', "1e999", b"\xff"])
@pytest.mark.parametrize("options", [[], ["--jsonl"]])
def test_infer_refuses_a_hostile_sample(run: Any, file: Any, content: Any, options: list[str]) -> None:
    ran = run("schema", "infer", file(content), *options)
    assert (ran.code, ran.out) == (2, "")


def test_diff_classes_every_change_and_exits_with_the_whole(run: Any, file: Any) -> None:
    old, same = record(a=TEXT, b=WHOLE), record(["a"], a=TEXT, b=NUMBER)
    ran = run("schema", "diff", file(old), file(same))
    assert ran.code == 1
    head, *rows = ran.out.splitlines()
    assert head.split() == ["path", "rule", "change", "safe", "for"]
    assert sorted(row.split()[0] for row in rows if row.startswith("$")) == ["$.b", "$.b"]
    assert "producers only" in ran.out
    assert "new to old: incompatible" in ran.out
    assert "as a whole safe for producers only" in ran.err


def test_diff_of_the_same_messages_is_a_yes(run: Any, file: Any) -> None:
    again = {"description": "the same", **record(a={"allOf": [TEXT]})}
    ran = run("schema", "diff", file(record(a=TEXT)), file(again))
    assert ran.code == 0
    assert "safe for both" in ran.err
    assert run("schema", "diff", *map(file, NOT_REGULAR)).code == 4


def test_diff_as_json_carries_the_class_and_the_verdicts(run: Any, file: Any) -> None:
    found = run("schema", "diff", file(record(a=WHOLE)), file(record(a=TEXT)), "--json").json
    assert found["safe_for"] == "neither"
    assert [(one["path"], one["safe_for"]) for one in found["changes"]] == [("$.a", "neither")]
    assert found["changes"][0]["for_producers"]["answer"] == "incompatible"
    assert found["for_consumers"]["answer"] == "incompatible"


def test_adapt_marks_what_is_safe_and_proved(run: Any, file: Any) -> None:
    ran = run("schema", "adapt", file(SENT), file(FILLED))
    assert ran.code == 0
    assert ran.out.startswith("1. safe, proved\n")
    assert "adapter: {" in ran.out
    (proposal,) = run("schema", "adapt", file(SENT), file(FILLED), "--json").json
    assert (proposal["kind"], proposal["proved"], proposal["applicable"]) == ("safe", True, True)


def test_adapt_applies_what_is_safe_and_proved(run: Any, file: Any) -> None:
    ran = run("schema", "adapt", file(SENT), file(FILLED), "--apply", file({"id": 10**30, "price": 2}))
    assert (ran.code, ran.err) == (0, "")
    assert ran.json == {"id": "1" + "0" * 30, "price": 2, "unit": "EUR"}


def test_adapt_never_applies_a_guess(run: Any, file: Any) -> None:
    schemas = file(record(user_id=TEXT)), file(record(userId=TEXT))
    shown = run("schema", "adapt", *schemas)
    assert shown.code == 1
    assert "guess, proved" in shown.out
    ran = run("schema", "adapt", *schemas, "--apply", file({"user_id": "x"}))
    assert (ran.code, ran.out) == (1, "")
    assert "safe and proved" in ran.err


def test_adapt_shows_why_what_is_safe_does_not_suffice(run: Any, file: Any) -> None:
    ran = run("schema", "adapt", file(SENT), file(TAKEN))
    assert ran.code == 1
    assert "safe, not proved" in ran.out
    assert "`price` may be negative" in ran.out


def test_adapt_without_any_idea_says_so(run: Any, file: Any) -> None:
    ran = run("schema", "adapt", file({**NUMBER}), file({**NUMBER, "minimum": 0}))
    assert (ran.code, ran.out) == (1, "")
    assert "schema explain" in ran.err
    assert run("schema", "adapt", file(NUMBER), file({**NUMBER, "minimum": 0}), "--json").json == []


def test_adapt_refuses_a_message_that_its_proof_is_not_about(run: Any, file: Any) -> None:
    schemas = file(SENT), file(FILLED)
    undeclared = {"id": 1, "price": 2, "unit": 7}
    deep: Any = json.loads("[" * 300 + "]" * 300)
    for message, says in (({"id": 1}, "`price`"), (undeclared, "unit"), (deep, "nested"), ([], "$")):
        ran = run("schema", "adapt", *schemas, "--apply", file(message))
        assert (ran.code, ran.out) == (1, ""), message
        assert says in ran.err


@pytest.mark.parametrize("command", ["explain", "diff", "adapt"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("{", "line 1, column 2"),
        (b"\xff\xfe", "not UTF-8"),
        ('{"not":' * 100_000, "nested too deep"),
        ('{"not":' * 300 + "{}" + "}" * 300, "deep"),
        ('{"minimum": 1' + "0" * 1_000 + "}", "digits"),
        ('{"minimum": 1e999}', "not JSON"),
        ('{"const": "\\ud800"}', "not JSON"),
        ('"text"', "boolean or an object"),
        ('{"$ref": "https://example.org/schema"}', "reference"),
        ('{"type": "no\\u001b[31m"}', "$.type"),
    ],
)
def test_a_schema_that_cannot_be_used_is_one_clear_message(
    run: Any, file: Callable[..., str], command: str, content: str | bytes, says: str
) -> None:
    name = file(content)
    for pair in ([name, file({})], [file({}), name]):
        ran = run("schema", command, *pair)
        assert (ran.code, ran.out) == (2, "")
        assert name in ran.err
        assert says in ran.err
        assert "\x1b" not in ran.err


@pytest.mark.parametrize("command", ["explain", "diff", "adapt", "infer"])
def test_stdin_is_read_once(run: Any, command: str) -> None:
    ran = run("schema", command, "-", "-")
    assert (ran.code, ran.out) == (2, "")
    assert "stdin" in ran.err


@pytest.mark.parametrize("command", ["explain", "diff", "adapt"])
def test_names_from_a_schema_cannot_steer_a_terminal(run: Any, file: Any, command: str) -> None:
    schemas = file(record(**{HOSTILE_NAME: WHOLE})), file(record(**{HOSTILE_NAME: {**TEXT, "minLength": 3}}))
    for options in ([], ["--json"]):
        ran = run("schema", command, *schemas, *options)
        assert ran.out
        assert ran.out.replace("\n", "").isprintable()


def test_the_group_alone_and_a_wrong_word_show_the_usage(run: Any) -> None:
    assert "Usage: claude-comm schema" in run("schema").err
    ran = run("schema", "explian")
    assert (ran.code, ran.out) == (2, "")
    assert "'explain'" in ran.err
    assert "  diff " in run("schema", "--help").out


@pytest.mark.parametrize(
    "arguments", [["schema", "--help"], ["schema", "infer", "SAMPLE"], ["schema", "adapt", "A", "B"]]
)
def test_a_terminal_gets_colours(file: Any, arguments: list[str]) -> None:
    names = {"SAMPLE": file({"a": 1}), "A": file(SENT), "B": file(FILLED)}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "claude_comm", *(names.get(word, word) for word in arguments)]
    environ = child_environ(TERM="xterm-256color")
    subprocess.run(command, stdout=theirs, stderr=theirs, env=environ, timeout=PATIENCE_S, check=True)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # the end of a terminal that nobody writes to
        pass
    os.close(ours)
    assert b"\x1b[" in shown

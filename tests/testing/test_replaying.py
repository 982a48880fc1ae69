"""Recorded deliveries against another version of a module: what is the same, and what changed where."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_comm.testing import Bus, RunningModule, load_module, read_recording, replay
from claude_comm.testing.recording import Recorded, UnreadableRecording, read_contracts, write
from tests.support.command_line import Ran

VERSION = """
    import msgspec
    from claude_comm import Context, Module, RetryPolicy

    class Page(msgspec.Struct):
        number: int
        owner: str = ""

    class Found(msgspec.Struct):
        double: int

    module = Module("doubler", retry=RetryPolicy(attempts=1))
    module.produces("found", Found, target="sink")

    @module.handles("page")
    def double(page: Page, context: Context) -> Found:
        if page.number < 0:
            raise ValueError("no page has a negative number")
        extra = context.request("oracle", page.number, type="ask", as_=int) if page.number == 7 else 0
        context.send("sink", Found(page.number * 2 + extra), type="found")
        return Found(page.number * 2 + extra)
"""
ORACLE = """
    from claude_comm import Module

    module = Module("oracle")

    @module.handles("ask")
    def ask(number: int) -> int:
        return 100
"""


@pytest.fixture
def versions(
    comm: Bus, tmp_path: Path, module_runner: Callable[..., RunningModule], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A version of a module in a file, with the traffic of a session that it has handled."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.py").write_text(textwrap.dedent(VERSION))
    (tmp_path / "oracle.py").write_text(textwrap.dedent(ORACLE))
    module_runner(load_module("oracle.py:module"))
    first = module_runner(load_module("first.py:module"))
    for number in (1, -1):
        first.send({"number": number, "owner": "Ada"}, type="page", session="s1")
    first.request({"number": 7}, type="page", session="s1")
    first.send({"number": 5}, type="page", session="other")
    first.done(4)
    first.stop()
    return tmp_path


def changed(folder: Path, name: str, before: str, after: str) -> str:
    text = textwrap.dedent(VERSION)
    assert before in text
    (folder / name).write_text(text.replace(before, after))
    return f"{name}:module"


def test_the_same_version_is_the_same(versions: Path, run: Callable[..., Ran]) -> None:
    ran = run("replay", "--session", "s1", "--against", "first.py:module", "--json")
    rows = json.loads(ran.out)
    assert ([row["answer"] for row in rows], ran.code) == (["same"] * 3, 0)


def test_what_changed_is_named_with_its_path(versions: Path, run: Callable[..., Ran]) -> None:
    second = changed(versions, "second.py", "page.number * 2 + extra", "page.number * 3 + extra")
    ran = run("replay", "--session", "s1", "--against", second, "--diff")
    assert ran.code == 1
    assert "found to sink changed at $.double: 2 -> 3" in ran.out
    assert "reply changed at $.double: 114 -> 121" in ran.out
    assert "3 deliveries, 2 changed" in ran.out


def test_a_burial_that_comes_or_goes_is_a_change(versions: Path, run: Callable[..., Ran]) -> None:
    second = changed(versions, "second.py", "page.number < 0", "page.number > 0")
    ran = run("replay", "--session", "s1", "--against", second, "--json")
    outcomes = [row["changes"][0] for row in json.loads(ran.out)]
    assert [change["what"] for change in outcomes] == ["outcome"] * 3
    assert outcomes[0]["after"].startswith("buried: ")
    assert outcomes[1]["before"].startswith("buried: ")


def test_what_an_adapter_makes_the_same_is_equal_under_it(versions: Path, run: Callable[..., Ran]) -> None:
    """The new version sends a list of what was sent alone, which the negotiation would bridge."""
    text = textwrap.dedent(VERSION).replace("double: int", "double: list[int]").replace("-> Found", "-> None")
    text = text.replace("Found(page.number * 2 + extra)", "Found([page.number * 2 + extra])").replace("return ", "")
    (versions / "second.py").write_text(text)
    ran = run("replay", "--session", "other", "--against", "second.py:module", "--json")
    assert [row["answer"] for row in json.loads(ran.out)] == ["equal under the adapter"]


def test_a_recording_is_a_file_for_tests_and_redacted_on_demand(versions: Path, run: Callable[..., Ran]) -> None:
    ran = run("record", "--session", "s1", "--module", "doubler", "--redact", "$.owner", "-o", "traffic.jsonl")
    assert ran.code == 0
    deliveries = read_recording("traffic.jsonl")
    assert [(delivery.data, delivery.status) for delivery in deliveries] == [
        ({"number": 1, "owner": "xxx"}, "handled"),
        ({"number": -1, "owner": "xxx"}, "buried"),
        ({"number": 7}, "handled"),
    ]
    assert "Ada" not in Path("traffic.jsonl").read_text()
    (asked,) = [sent for sent in deliveries[2].sent if sent.request]
    assert (asked.target, asked.data, asked.reply) == ("oracle", 7, 100)
    results = replay(deliveries, load_module("first.py:module"))
    assert {result.answer for result in results} == {"same"}
    assert run("replay", "--file", "traffic.jsonl", "--against", "first.py:module").code == 0


def test_a_recording_finds_the_adapter_as_the_projection_does(versions: Path, run: Callable[..., Ran]) -> None:
    """The file has the contract of the version that was recorded."""
    text = textwrap.dedent(VERSION).replace("double: int", "double: list[int]").replace("-> Found", "-> None")
    text = text.replace("Found(page.number * 2 + extra)", "Found([page.number * 2 + extra])").replace("return ", "")
    (versions / "second.py").write_text(text)
    assert run("record", "--session", "other", "--module", "doubler", "-o", "other.jsonl").code == 0
    assert list(read_contracts("other.jsonl")) == ["doubler"]
    ran = run("replay", "--file", "other.jsonl", "--against", "second.py:module", "--json")
    assert [row["answer"] for row in json.loads(ran.out)] == ["equal under the adapter"]


def test_nothing_recorded_is_not_found(versions: Path, run: Callable[..., Ran]) -> None:
    assert run("record", "--session", "nowhere").code == 3
    assert run("replay", "--session", "nowhere", "--against", "first.py:module").code == 3


def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "traffic.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(UnreadableRecording, match="line 1"):
        read_recording(tmp_path / "traffic.jsonl")


def test_a_file_that_cannot_be_read_is_named(versions: Path, run: Callable[..., Ran]) -> None:
    (versions / "bytes").write_bytes(b"\xff\xfe\0")
    for file, why in (("none", "No such file"), (".", "Is a directory"), ("bytes", "is not UTF-8 text (byte 0)")):
        ran = run("replay", "--file", file, "--against", "first.py:module")
        assert (ran.code, file in ran.err, why in ran.err) == (2, True, True)


def test_a_recording_that_cannot_be_written_is_said(versions: Path, run: Callable[..., Ran]) -> None:
    ran = run("record", "--session", "s1", "-o", "none/traffic.jsonl")
    assert (ran.code, ran.err) == (1, "Error: none/traffic.jsonl cannot be written: No such file or directory.\n")


def test_a_line_of_a_recording_ends_at_its_line_feed_alone(tmp_path: Path) -> None:
    line = write(
        [Recorded(id="1", source="a", consumer="b", type="t", data="x\u2028y\x85z", status="handled", took_ms=1.0)]
    )
    (tmp_path / "traffic.jsonl").write_text(line * 2, encoding="utf-8")
    assert [delivery.data for delivery in read_recording(tmp_path / "traffic.jsonl")] == ["x\u2028y\x85z"] * 2

"""`send`, `list`, `show`, `progress`: what was sent is seen, as it was sent, and cannot steer the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from claude_comm import ModuleCommunicator, Publisher
from claude_comm.client.consumer.consumer import Consumer
from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.transport.driver import Client


@pytest.fixture(autouse=True)
def here(settings: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process use the shared server, in a namespace of this test."""
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    with Publisher("sparta", settings=settings) as opened:
        yield opened


def test_empty_results_say_so_and_exit_with_0(run: Any) -> None:
    for command in ("list", "progress", "modules", "agreements"):
        ran = run(command)
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.startswith("no ")
        assert run(command, "--json").json == []


def test_what_was_sent_is_listed_and_shown(run: Any) -> None:
    sent = run("send", "sparta", "marker", "Hello from SPARTA")
    assert (sent.code, sent.err) == (0, "message 1\n")
    listed = run("list", "--target", "marker").out.splitlines()
    assert len(listed) == 2
    assert "sparta" in listed[1]
    assert '"Hello from SPARTA"' in listed[1]
    for reference in ("1", sent.out.strip(), sent.out[:30]):
        shown = run("show", reference)
        assert shown.code == 0
        assert '"Hello from SPARTA"' in shown.out
    assert run("list", "--target", "other").err == "no messages like that.\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("3", 3),
        ("true", True),
        ('"quoted"', "quoted"),
        ("plain text", "plain text"),
        ("NaN", "NaN"),
        ("", ""),
        ("日本 🎉", "日本 🎉"),
    ],
)
def test_a_message_that_is_json_is_sent_as_json(run: Any, text: str, value: Any) -> None:
    sent = run("send", "a", "b", text, "--json")
    assert sent.code == 0
    assert sent.json["number"] == 1
    assert run("show", sent.json["id"], "--json").json["data"] == value


def test_a_message_is_read_from_stdin_for_a_dash(environ: dict[str, str]) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "claude_comm"]
    subprocess.run([*command, "send", "a", "b", "-"], input=b'{"n": 1}', env=environ, check=True, capture_output=True)
    listed = subprocess.run([*command, "list", "--json"], env=environ, check=True, capture_output=True)
    assert json.loads(listed.stdout)[0]["data"] == {"n": 1}


def test_show_as_json_is_a_cloudevent(run: Any, publisher: Publisher) -> None:
    id_ = publisher.publish("marker", {"n": 1}, type="order", session="s-1", correlation="c", reply_to="sparta")
    event = run("show", id_, "--json").json
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "datacontenttype", "data")} == {
        "specversion": "1.0",
        "id": id_,
        "source": "sparta",
        "type": "order",
        "datacontenttype": "application/json",
        "data": {"n": 1},
    }
    assert (event["target"], event["session"], event["replyto"], event["number"]) == ("marker", "s-1", "sparta", 1)
    assert all(name.isalnum() and name == name.lower() for name in event if name != "data_base64")


def test_bytes_travel_as_base64(run: Any, publisher: Publisher) -> None:
    publisher.publish("marker", b"\x00\xff")
    assert run("show", "1", "--json").json["data_base64"] == "AP8="
    assert run("list", "--json").json[0]["data"] == "AP8="


@pytest.mark.parametrize(
    "payload",
    [
        msgspec.msgpack.Ext(5, b"abc"),
        {(1, 2): 3},
        float("nan"),
        {1: {"deep": [b"bytes", {2.5: None}]}},
        "a\ud7ff",
    ],
)
def test_whatever_msgpack_carries_can_be_listed_and_shown(run: Any, publisher: Publisher, payload: Any) -> None:
    publisher.publish("marker", payload)
    for command in (["list"], ["list", "--json"], ["show", "1"], ["show", "1", "--json"]):
        assert run(*command).code == 0


def test_numbers_that_are_not_finite_are_shown_as_what_they_are(run: Any, publisher: Publisher) -> None:
    publisher.publish("marker", [float("nan"), float("inf"), -float("inf"), None])
    for command in (["list"], ["show", "1"]):
        shown = "".join(run(*command).out.split())
        assert "NaN,Infinity,-Infinity,null" in shown.replace('"', "")
    assert run("list", "--json").json[0]["data"] == ["NaN", "Infinity", "-Infinity", None]


def test_text_of_a_message_never_steers_the_terminal(run: Any, publisher: Publisher) -> None:
    hostile = "\x1b]0;owned\x07\x9b2J\u202eexe.\r\n[red]x[/red]"
    publisher.publish("marker", {hostile: hostile}, headers={"h": "v\u2066"}, session="s")
    for command in (["list"], ["list", "--json"], ["show", "1"], ["show", "1", "--json"]):
        out = run(*command).out
        assert out.replace("\n", "").isprintable(), command
        assert "[red]x[/red]" in out
    assert run("show", "1", "--json").json["data"] == {hostile: hostile}


def test_filters_and_the_limit_narrow_the_list(run: Any, publisher: Publisher, settings: Settings) -> None:
    publisher.publish_many("marker", list(range(30)), session="many")
    with Publisher("other", settings=settings) as other:
        other.publish("topic:news", "x")
    assert len(run("list", "--json").json) == 20
    assert [row["data"] for row in run("list", "--session", "many", "-n", "2", "--json").json] == [29, 28]
    assert [row["target"] for row in run("list", "--source", "other", "--json").json] == ["topic:news"]
    assert run("list", "-n", "0").code == 2
    assert run("list", "-n", "many").code == 2


def test_an_unknown_or_ambiguous_reference_exits_with_3(run: Any, publisher: Publisher) -> None:
    ids = publisher.publish_many("marker", [1, 2])
    assert run("show", "99").code == 3
    ran = run("show", ids[0][:4])
    assert ran.code == 3
    assert "2 message ids" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [("bad name", "b", "x"), ("a", "b c", "x"), ("a", "b", "x", "--type", "no good"), ("a", "b", "x\udcff")],
)
def test_what_cannot_be_sent_is_refused(run: Any, arguments: tuple[str, ...]) -> None:
    ran = run("send", *arguments)
    assert ran.code in (1, 2)
    assert ran.out == ""
    assert run("list", "--json").json == []


def test_show_tells_what_became_of_a_message(run: Any, publisher: Publisher, settings: Settings) -> None:
    publisher.publish("marker", {"n": 1})
    with Consumer("marker", settings=settings) as consumer:
        (delivery,) = consumer.read(wait_s=5)
        consumer.fail(delivery, "does not\x1b fit", path="$.n")
    shown = run("show", "1").out
    assert "does not\\x1b fit (at $.n)" in shown
    assert run("list", "--json").json[0]["status"] == "failed"


def test_progress_shows_each_task(run: Any, settings: Settings) -> None:
    with ModuleCommunicator("indexer", settings=settings) as indexer, indexer.session("s"):
        indexer.track_progress("pages", 5, 20)
        indexer.track_progress("words", 3, 0)
    ran = run("progress", "--json")
    assert [(row["task"], row["percentage"]) for row in ran.json] == [("pages", 25.0), ("words", 0.0)]
    assert "25%" in run("progress", "--module", "indexer").out
    assert "no progress of 'other'" in run("progress", "--module", "other").err


def test_a_foreign_entry_does_not_stop_the_list(
    run: Any, publisher: Publisher, client: Client, settings: Settings
) -> None:
    publisher.publish("marker", "good")
    client.run(_add(Keys(settings.namespace).inbox("marker"), b"\xc1 rubbish"))
    assert [row["data"] for row in run("list", "--json").json] == ["good"]


def _add(stream: str, body: bytes) -> Any:
    yield Command(("XADD", stream, "*", "e", body))


def test_a_database_that_cannot_be_used_is_one_message(run: Any, settings: Settings) -> None:
    Path(settings.home / "claude-comm.db").write_text("this is no database, and long enough to be looked at" * 20)
    ran = run("list")
    assert (ran.code, ran.out) == (1, "")
    assert "not a database" in ran.err

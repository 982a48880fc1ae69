"""`dead list`, `show`, `check`, `redrive` and `purge`: what was given up on is seen, judged, sent once more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from claude_comm import Consumer, Publisher
from claude_comm.client.identity import identify
from claude_comm.delivery.burial import Where
from claude_comm.effects import Command
from claude_comm.envelope import decode
from claude_comm.names import Keys
from claude_comm.ops import dead as ops
from claude_comm.ops import registration
from claude_comm.registry.contracts import contract
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client
from tests.support.streams import dead
from tests.support.streams import events as events_of
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process use the shared server, in a namespace of this test."""
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])


def bury(settings: Settings, *payloads: object, reason: str = "no {n}", module: str = "sink", **told: str) -> list[str]:
    """Sends these and gives up on each; their ids."""
    with Publisher("src", settings=settings) as publisher:
        ids = publisher.publish_many(module, payloads)
    with Consumer(module, settings=settings, batch=500) as consumer:
        left = len(ids)
        while left:
            for delivery in consumer.read():
                consumer.fail(delivery, reason.format(n=left), **told)  # type: ignore[arg-type]
                left -= 1
    return ids


def inbox(client: Client, keys: Keys, module: str = "sink") -> list[str]:
    """The ids in an inbox, without those that its group has acked."""
    info = client.data.one(Command(("XINFO", "GROUPS", keys.inbox(module))))[0]
    last = (info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True)))[b"last-delivered-id"]
    entries = client.data.one(Command(("XRANGE", keys.inbox(module), b"(" + last, "+")))
    return [decode(fields[1]).id for _, fields in entries]


def test_nothing_buried_is_said_so(run: Any) -> None:
    for words in (("list",), ("list", "sink")):
        ran = run("dead", *words)
        assert (ran.code, ran.out) == (0, "")
        assert ran.err.startswith("nothing is buried")
        assert run("dead", *words, "--json").json == []
    assert run("dead", "redrive", "sink").out == "0 redriven\n"
    assert run("modules", "--json").json == []


def test_burials_are_listed_by_reason_and_place_with_an_example(run: Any, settings: Settings) -> None:
    ids = bury(settings, 1, 2, 3, reason="KeyError: {n}", path="$.n")
    bury(settings, 4, module="other")
    listed = run("dead", "list", "--json").json
    assert [(group["module"], group["count"], group["reason"], group["path"]) for group in listed] == [
        ("sink", 3, "KeyError: #", "$.n"),
        ("other", 1, "no #", ""),
    ]
    assert listed[0]["types"] == ["message"]
    shown = run("dead", "show", listed[0]["example"], "--json").json
    assert shown["message"]["id"] == ids[-1]
    assert [group["module"] for group in run("dead", "list", "other", "--json").json] == ["other"]
    table = run("dead", "list").out.splitlines()
    assert len(table) == 3
    assert "KeyError: #" in table[1]


def test_one_is_shown_whole_by_either_id(run: Any, settings: Settings) -> None:
    (id_,) = bury(settings, {"n": "x"}, reason="bad\x1b n", path="$.n", schema_path="/p/n", traceback="File x\n  boom")
    for reference in (id_, id_[:20]):
        shown = run("dead", "show", reference, "--json").json
        assert (shown["module"], shown["path"], shown["schema_path"]) == ("sink", "$.n", "/p/n")
        assert (shown["attempts"], shown["traceback"]) == (1, "File x\n  boom")
        assert shown["message"]["data"] == {"n": "x"}
    text = run("dead", "show", shown["id"], "--module", "sink").out
    assert '"n": "x"' in text
    assert "bad\\x1b n" in text
    assert "boom" in text


def test_an_unknown_or_ambiguous_id_exits_with_3(run: Any, settings: Settings) -> None:
    ids = bury(settings, 1, 2)
    assert run("dead", "show", "9-9").code == 3
    assert run("dead", "show", "").code == 3
    ran = run("dead", "show", ids[0][:6])
    assert (ran.code, ran.out) == (3, "")
    assert "2 buried messages" in ran.err


def test_bytes_that_are_no_message_are_listed_shown_and_redriven_as_they_are(
    run: Any, settings: Settings, client: Client, keys: Keys
) -> None:
    client.data.one(Command(("XADD", keys.inbox("sink"), "*", "e", b"\xc1\x1b[2J")))
    with Consumer("sink", settings=settings) as consumer:
        assert consumer.read(wait_s=0.05) == []
    (group,) = run("dead", "list", "--json").json
    assert group["types"] == []
    shown = run("dead", "show", group["example"], "--json").json
    assert (shown["message"], shown["size_bytes"]) == (None, 5)
    assert "DecodeError" in run("dead", "show", group["example"]).out
    assert run("dead", "redrive", "sink", "--json").json["redriven"] == 1
    assert client.data.one(Command(("XREVRANGE", keys.inbox("sink"), "+", "-", "COUNT", 1)))[0][1][1] == b"\xc1\x1b[2J"


def test_check_says_how_many_the_contract_of_today_would_let_in(run: Any, settings: Settings, client: Client) -> None:
    keys = Keys(settings.namespace)
    bury(settings, {"n": 1}, {"n": "one"}, {"n": "two"}, {"n": 4})
    assert run("dead", "check", "sink").code == 3
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    client.run(registration.register(keys, contract("sink", accepts={"message": schema})))
    ran = run("dead", "check", "sink", "--json")
    assert ran.code == 1
    assert (ran.json["would_pass"], ran.json["would_fail"]) == (2, 2)
    assert {refusal["path"] for refusal in ran.json["refusals"]} == {"$.n"}
    assert run("dead", "check", "sink").out.startswith("2 of 4 would be accepted")
    client.run(registration.register(keys, contract("sink", accepts={"message": True})))
    ran = run("dead", "check", "sink")
    assert (ran.code, ran.out) == (0, "4 of 4 would be accepted\n")


def test_a_redriven_message_is_handled_again_from_its_first_attempt(
    run: Any, settings: Settings, client: Client, keys: Keys
) -> None:
    ids = bury(settings, 1, 2)
    assert run("list", "--json").json[0]["status"] == "failed"
    assert run("dead", "redrive", "sink", "--dry-run").out == "2 would be redriven\n"
    assert len(dead(client, keys, "sink")) == 2
    assert run("dead", "redrive", "sink").out == "2 redriven\n"
    assert run("dead", "redrive", "sink").out == "0 redriven\n"
    assert dead(client, keys, "sink") == []
    assert [row["status"] for row in run("list", "--json").json] == ["retrying", "retrying"]
    with Consumer("sink", settings=settings) as consumer:
        found = consumer.read()
        assert [(one.envelope.id, one.attempts) for one in found] == [(ids[0], 1), (ids[1], 1)]
        for one in found:
            consumer.ack(one)
    assert [row["status"] for row in run("list", "--json").json] == ["handled", "handled"]


def test_conditions_and_a_limit_choose_what_is_redriven_the_oldest_first(
    run: Any, settings: Settings, client: Client, keys: Keys
) -> None:
    first = bury(settings, 1, 2, 3, reason="KeyError: {n}")
    bury(settings, 4, reason="timeout", path="$.n")
    assert run("dead", "redrive", "sink", "--where", "source=nobody").out == "0 redriven\n"
    assert (
        run("dead", "redrive", "sink", "-w", "reason=KeyError", "-w", "type=message", "-n", "2").out == "2 redriven\n"
    )
    assert inbox(client, keys) == first[:2]
    assert [one[b"reason"] for one in dead(client, keys, "sink")] == [b"KeyError: 1", b"timeout"]
    assert run("dead", "redrive", "sink", "--where", "path=$.n").out == "1 redriven\n"
    assert run("dead", "redrive", "sink", "--where", "colour=red").code == 2
    assert run("dead", "redrive", "bad name").code == 2


def test_a_redriven_message_that_fails_again_meanwhile_is_not_met_twice(settings: Settings, client: Client) -> None:
    """The walk ends where the dead stream ended when it began."""
    keys, identity = Keys(settings.namespace), identify("sink", settings)
    bury(settings, *range(150))
    met: list[str] = []

    def fails_again(one: Any) -> bytes:
        met.append(one.envelope.id)
        client.data.one(
            Command(("XADD", keys.dead("sink"), "*", "e", identity.encode(one.envelope), "reason", "again"))
        )
        return b""

    moved = client.run(ops.redrive(keys, "sink", Where(), fails_again, limit=None, max_bytes=1_000_000))
    assert moved == 150
    assert max(Counter(met).values()) == 1


REDRIVING = """
from claude_comm.__main__ import main
main(["dead", "redrive", "sink"])
"""


def test_a_redrive_killed_anywhere_loses_and_doubles_nothing(
    run: Any, settings: Settings, environ: dict[str, str], client: Client, keys: Keys
) -> None:
    ids = bury(settings, *range(1_500))
    child = subprocess.Popen([sys.executable, "-c", REDRIVING], env=environ, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(inbox(client, keys)) > 0)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    left = [decode(one[b"e"]).id for one in dead(client, keys, "sink")]
    assert sorted(inbox(client, keys) + left) == ids
    assert run("dead", "redrive", "sink").out == f"{len(left)} redriven\n"
    assert sorted(inbox(client, keys)) == ids


def test_two_that_redrive_at_once_redrive_each_once(
    settings: Settings, environ: dict[str, str], client: Client, keys: Keys
) -> None:
    ids = bury(settings, *range(400))
    command = [sys.executable, "-c", REDRIVING]
    children = [subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [child.communicate()[0] for child in children]
    assert sum(int(words.split()[0]) for words in said) == 400
    assert sorted(inbox(client, keys)) == ids
    redriven = [event for event in events_of(client, keys, "sink") if type(event).__name__ == "Retried"]
    assert sorted(event.delivery.id for event in redriven) == ids


def test_purging_needs_a_yes_and_takes_only_what_was_chosen(run: Any, settings: Settings) -> None:
    bury(settings, *range(130), reason="old")
    bury(settings, 4, reason="new")
    ran = run("dead", "purge", "sink", "--where", "reason=old")
    assert (ran.code, ran.out) == (2, "")
    assert "130 would be deleted" in ran.err
    assert run("dead", "purge", "sink", "--where", "reason=old", "--yes").out == "130 purged\n"
    assert [group["reason"] for group in run("dead", "list", "--json").json] == ["new"]
    assert run("dead", "purge", "sink", "--yes", "--json").json == {"module": "sink", "purged": 1}
    assert run("dead", "list", "--json").json == []


def test_a_server_that_does_not_answer_exits_with_5(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_COMM_URL", "unix:///nowhere.sock")
    for words in (("list",), ("show", "1-1"), ("check", "m"), ("redrive", "m"), ("purge", "m", "--yes")):
        assert run("dead", *words).code == 5


def test_each_page_of_a_walk_is_one_command_and_none_is_missed(settings: Settings) -> None:
    ids = bury(settings, *range(2 * ops.PAGE))
    keys, seen = Keys(settings.namespace), []
    with connect(settings) as client:
        place = client.run(ops.begin(keys, "sink"))
        while place.after:
            found, place = client.run(ops.page(keys, place, max_bytes=1_000_000))
            seen += [one.envelope.id for one in found if one.envelope]
    assert seen == ids

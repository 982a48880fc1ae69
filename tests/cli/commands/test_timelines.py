"""`sessions`, `session show`, `trace` and `progress`: what a person and a program read."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import msgspec
import pytest

from claude_comm import ModuleCommunicator, Publisher
from claude_comm.cli.commands import session_show
from claude_comm.settings import Settings
from claude_comm.store import records
from claude_comm.store.database import open_database
from claude_comm.store.timelines import TimelineRow, timeline
from tests.support.command_line import Ran
from tests.support.terminals import terminal

COMM = [sys.executable, "-m", "claude_comm"]


@pytest.fixture(autouse=True)
def environment(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)


@pytest.fixture
def sent(settings: Settings) -> list[str]:
    """A session of three messages, one of which caused another, and a task."""
    with ModuleCommunicator("scanner", settings=settings) as scanner, scanner.session("invoices"):
        for page in scanner.progress(["one"], task="scan"):
            first = scanner.send_message("scanner", "extractor", {"page": page})
    with Publisher("extractor", settings=settings) as extractor:
        second = extractor.publish("indexer", {"text": "x"}, session="invoices", causation=first)
        third = extractor.publish("indexer", {"text": "y" * 200}, session="invoices", causation=second)
    return [first, second, third]


def test_sessions_are_listed_with_how_they_ended(run: Callable[..., Ran], sent: list[str]) -> None:
    [session] = run("sessions", "--json").json
    assert (session["session"], session["state"], session["messages"], session["pending"]) == (
        "invoices",
        "completed",
        3,
        3,
    )
    assert "completed" in run("sessions").out
    assert run("sessions", "--after", "invoices").err.strip() == "no more sessions."


def test_a_session_is_shown_with_its_hops_tasks_and_messages_a_page_at_a_time(
    run: Callable[..., Ran], sent: list[str]
) -> None:
    shown = run("session", "show", "invoices", "--limit", 2)
    assert "extractor" in shown.out
    assert "scan" in shown.out
    # Messages have their numbers in the order in which they were stored.
    after = run("session", "show", "invoices", "--limit", 2, "--json").json["after"]
    assert shown.err.strip() == f"more: claude-comm session show invoices --after {after} --limit 2"
    document = run("session", "show", "invoices", "--json").json
    assert [row["id"] for row in document["timeline"]] == sent
    assert [(hop["source"], hop["messages"]) for hop in document["hops"]] == [("scanner", 1), ("extractor", 2)]
    assert [(task["task"], task["state"]) for task in document["tasks"]] == [("scan", "completed")]
    rest = run("session", "show", "invoices", "--after", after, "--json").json
    assert [row["id"] for row in rest["timeline"]] == sent[2:]
    assert run("session", "show", "invoices", "--failed").err.strip() == "no message of it failed."
    assert [row["id"] for row in run("session", "show", "invoices", "--last", "-n", 1, "--json").json["timeline"]] == [
        sent[2]
    ]


def test_an_unknown_session_exits_with_3(run: Callable[..., Ran]) -> None:
    done = run("session", "show", "nothing")
    assert done.code == 3
    assert "claude-comm sessions" in done.err


def test_a_trace_is_a_tree_by_number_or_by_the_start_of_an_id(run: Callable[..., Ran], sent: list[str]) -> None:
    tree = run("trace", sent[0])
    lines = tree.out.splitlines()
    assert "scanner → extractor" in lines[1]
    assert "  └ extractor → indexer" in lines[2]
    assert "    └ extractor → indexer" in lines[3]
    assert "3 messages, 0 failed" in tree.out
    assert [row["id"] for row in run("trace", sent[1][:-4], "--json").json] == sent[1:]
    assert run("trace", "nothing").code == 3


def test_a_pause_is_a_line_of_its_own(run: Callable[..., Ran], settings: Settings) -> None:
    with Publisher("a", settings=settings) as publisher:
        publisher.publish_many("b", [1, 2], session="s")
    run("list")
    with open_database(settings.database) as database:
        rows: list[TimelineRow] = timeline(database, "s", limit=2).rows
    start_us = rows[0].message.time_us
    late = msgspec.structs.replace(rows[1].message, time_us=start_us + 12_400_000)
    lines = [*session_show._lines([rows[0], TimelineRow(late, [])], start_us, fold=True)]
    assert [line[2] for line in lines] == ["a", "· · · 12 s idle", "a"]
    assert lines[2][1] == "+12.40 s"


def test_progress_shows_rate_and_time_left(run: Callable[..., Ran], settings: Settings) -> None:
    with ModuleCommunicator("scanner", settings=settings) as scanner:
        scanner.track_progress("pages", 1, 10)
        time.sleep(0.02)
        scanner.track_progress("pages", 2, 10)
    [task] = run("progress", "--json").json
    assert task["rate"] > 0
    assert task["eta_s"] == pytest.approx(8 / task["rate"])


def test_the_name_of_a_session_is_shown_whole_before_less_is(environ: dict[str, str], settings: Settings) -> None:
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("b", 1, session="nightly-20261128-142717-24501")
    with terminal([*COMM, "sessions"], environ, columns=80) as screen:
        assert screen.end() == 0
        assert "nightly-20261128-142717-24501 " in screen.shown


def test_the_map_of_no_modules_says_so(run: Callable[..., Ran]) -> None:
    shown = run("graph")
    assert (shown.code, shown.out, shown.err) == (0, "", "no module has registered yet.\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_every_view_of_a_session_fits_the_terminal(
    environ: dict[str, str], sent: list[str], run: Callable[..., Ran], columns: int
) -> None:
    """One line a row: no line is wider than the terminal, and none is broken."""
    for arguments in (
        ["sessions"],
        ["session", "show", "invoices"],
        ["trace", "1"],
        ["conversation", "1"],
        ["list"],
        ["status"],
    ):
        with terminal([*COMM, *arguments], environ, columns=columns, lines=60) as screen:
            assert screen.end() == 0
            assert max(len(line.rstrip()) for line in screen.shown.splitlines()) <= columns


def test_a_task_that_says_nothing_more_is_silent_and_one_of_an_ended_session_is_stopped(
    run: Callable[..., Ran], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModuleCommunicator("scanner", settings=settings) as scanner:
        scanner.track_progress("alone", 1, 4)
        with scanner.session("over"):
            scanner.track_progress("within", 1, 4)
    assert [(task["task"], task["state"]) for task in run("progress", "--json").json] == [
        ("alone", "running"),
        ("within", "stopped"),
    ]
    [within] = run("session", "show", "over", "--json").json["tasks"]
    assert (within["state"], within["rate"]) == ("stopped", 0)
    monkeypatch.setattr(records, "SILENT_US", -1)
    assert [task["state"] for task in run("progress", "--json").json] == ["silent", "stopped"]
    assert "silent" in run("progress").out

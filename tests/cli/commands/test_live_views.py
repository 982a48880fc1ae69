"""The live views: `top` and `watch` on a terminal and in a pipe, and a terminal that comes back as it was."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_comm import Module, Publisher
from claude_comm.settings import Settings
from tests.support.modules import running
from tests.support.terminals import terminal

COMM = [sys.executable, "-m", "claude_comm"]


@pytest.mark.parametrize("view", ["top", "watch"])
@pytest.mark.parametrize("end", ["q", "\x1b", signal.SIGTERM, signal.SIGINT])
def test_a_view_gives_the_terminal_back_however_it_ends(
    environ: dict[str, str], view: str, end: str | signal.Signals
) -> None:
    with terminal([*COMM, view], environ) as screen:
        screen.wait_for("q quit")
        if isinstance(end, str):
            screen.press(end)
        else:
            screen.send(end)
        assert screen.end() == 0
        assert "\x1b[?1049h" in screen.written
        assert screen.given_back()


def test_a_view_that_fails_gives_the_terminal_back(environ: dict[str, str], settings: Settings) -> None:
    """A view that dies of an error says it on the terminal's own screen."""
    with terminal([*COMM, "watch"], {**environ, "CLAUDE_COMM_URL": "unix:///nowhere.sock"}) as screen:
        assert screen.end() == 5
        assert "nowhere.sock" in screen.shown
        assert screen.given_back()


def test_top_shows_who_talks_to_whom_and_sorts_by_a_key(environ: dict[str, str], settings: Settings) -> None:
    reader = Module("reader", settings=settings)
    reader.handles("page")(lambda page: None)
    with running(reader), Publisher("writer", settings=settings) as writer:
        writer.publish("reader", {"n": 1}, type="page")
        with terminal([*COMM, "top", "--interval", "0.2"], environ) as screen:
            screen.wait_for("writer → reader")
            assert "modules by handled" in screen.shown
            screen.press("l")
            screen.wait_for("modules by lag")
            screen.press("q")
            assert screen.end() == 0


def test_watch_shows_a_message_and_what_became_of_it(environ: dict[str, str], settings: Settings) -> None:
    reader = Module("reader", settings=settings)
    reader.handles("page")(lambda page: None)
    watch = terminal([*COMM, "watch"], environ, columns=120)
    with running(reader), Publisher("writer", settings=settings) as writer, watch as screen:
        screen.wait_for("waiting for messages")
        writer.publish("reader", {"title": "first steps"}, type="page")
        screen.wait_for("first steps")
        screen.wait_for("handled")
        screen.press("f")
        screen.wait_for("waiting for failures")
        screen.press("q")
        assert screen.end() == 0


def test_watch_in_a_pipe_is_a_line_for_each_message_that_matches(environ: dict[str, str], settings: Settings) -> None:
    with Publisher("writer", settings=settings) as writer:
        writer.publish("reader", {"n": 0})
        command = [*COMM, "watch", "--type", "page", "--json"]
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                seen: list[dict[str, object]] = []
                # It shows what is sent from its start on, and nobody outside knows when that was.
                while not seen:
                    writer.publish("reader", {"n": 1}, type="other")
                    writer.publish("reader", {"n": 2}, type="page")
                    if _ready(process.stdout):
                        seen.append(json.loads(process.stdout.readline()))
            finally:
                process.terminate()
    assert {row["type"] for row in seen} == {"page"}
    assert (seen[0]["kind"], seen[0]["source"], seen[0]["target"]) == ("sent", "writer", "reader")


def test_top_in_a_pipe_is_one_object_a_refresh(environ: dict[str, str], settings: Settings) -> None:
    with Publisher("writer", settings=settings) as writer:
        writer.publish("reader", {"n": 0})
    command = [*COMM, "top", "--json", "--interval", "0.2", "--duration", "0.1"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    load = json.loads(done.stdout.splitlines()[0])
    by_name = {module["module"]: module for module in load["modules"]}
    assert by_name["reader"]["lag"] == 0
    assert by_name.keys() == {"writer", "reader"}


def _ready(pipe: object) -> bool:
    return bool(select.select([pipe], [], [], 0.3)[0])


def test_a_watched_session_leaves_its_last_figures_on_the_terminal(
    environ: dict[str, str], settings: Settings, file: Callable[[object], Path]
) -> None:
    with Publisher("writer", settings=settings) as writer:
        writer.publish("reader", {"n": 1}, session="letters")
    with terminal(
        [*COMM, "monitor-session", str(file({"session_id": "letters"})), "--duration", "0"], environ
    ) as screen:
        assert screen.end() == 0
        assert screen.given_back()
        left = screen.written.rpartition("\x1b[?1049l")[2]
        assert "letters" in left
        assert "messages per second" in left

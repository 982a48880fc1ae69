"""The demo, as a user runs it: it ends by itself, tells what happened, and leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from claude_comm.demo import corpus, show
from claude_comm.demo.index import Index
from claude_comm.demo.shapes import Finding
from claude_comm.errors import ConfigurationError, NotFound
from claude_comm.runtime import private_server, worker_processes
from tests.support.homes import child_environ, new_home, remove_home
from tests.support.waiting import PATIENCE_S, wait_until

COMMAND = [sys.executable, "-m", "claude_comm"]


def comm(home: Path, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        **options,
    )


def nothing_runs(home: Path) -> bool:
    left = [name for name in (*worker_processes.WORKERS, "demo") if worker_processes.running(home, name)]
    return not left and not private_server.answers(private_server.socket_path(home)) and not modules_of(home)


def modules_of(home: Path) -> list[int]:
    """Processes of the demo's modules that have this home in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            called, environ = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"claude_comm.demo." in called and str(home).encode() in environ:
            found.append(int(folder.name))
    return found


class Played(NamedTuple):
    """One demo that ended, what ran in its home then, and a second one that was started beside it."""

    home: Path
    code: int
    stdout: str
    stderr: str
    left_nothing: bool
    second: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """Played once, for all tests that read it."""
    home = new_home()
    first = subprocess.Popen(
        [*COMMAND, "demo"],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: worker_processes.running(home, "demo") is not None)
    # It waits, however long the second takes to start.
    first.send_signal(signal.SIGSTOP)
    second = comm(home, "demo")
    first.send_signal(signal.SIGCONT)
    out, err = first.communicate(timeout=PATIENCE_S)
    yield Played(home, first.returncode, out, err, nothing_runs(home), second)
    remove_home(home)


@pytest.mark.long
def test_two_demos_at_once_do_not_mix(played: Played) -> None:
    assert (played.second.returncode, "demo runs already" in played.second.stderr) == (1, True)
    assert (played.code, played.left_nothing) == (0, True), played.stderr


def test_it_refuses_mends_runs_searches_and_leaves_nothing_running(played: Played) -> None:
    ran, home = played, played.home
    assert "REFUSED" in ran.stdout
    witness = json.loads(re.search(r"a message it may send: +(\{.*\})", ran.stdout)[1])  # type: ignore[index]
    assert witness["title"] is None
    assert ran.stdout.index("REFUSED") < ran.stdout.rindex("agreed, decided by")
    files = int(re.search(r"^files +(\d+)", ran.stdout, re.MULTILINE)[1])  # type: ignore[index]
    assert files > 10
    assert f"indexed {files}/{files}" in ran.stdout
    assert f"{2 * files + 1} messages in" in ran.stdout
    assert "0 messages failed, 0 waiting" in ran.stdout
    assert ran.stdout.count("…") >= 6

    # The commands that it tells to type work as they are, in the same home; the last one runs until it is stopped.
    *commands, page = re.findall(r"^  (?:\S+|'.+') -m claude_comm (.+)$", ran.stdout, re.MULTILINE)
    assert (len(commands), page.split()[:2]) == (6, ["gateway", "--open"])
    for arguments in commands:
        typed = comm(home, *arguments.split())
        words = [line for line in typed.stderr.splitlines() if not line.startswith("more: claude-comm session show")]
        assert (typed.returncode, words) == (0, []), arguments
        assert typed.stdout.strip()
    session = re.search(r"session (\S+)", ran.stdout)[1]  # type: ignore[index]
    listed = json.loads(comm(home, "list", "--session", session, "--limit", 1000, "--json").stdout)
    assert len(listed) == 2 * files + 1
    assert {row["status"] for row in listed} == {"handled"}
    [ended] = json.loads(comm(home, "sessions", "--json").stdout)
    assert (ended["session"], ended["state"], ended["pending"]) == (session, "completed", 0)
    tasks = json.loads(comm(home, "progress", "--json").stdout)
    assert {(task["task"], task["state"]) for task in tasks} == {
        ("reading", "completed"),
        ("pages sent", "completed"),
        ("indexing", "completed"),
    }

    # Again, with everything running: that is left running, and only the new pages are in the index.
    assert comm(home, "up").returncode == 0
    again = comm(home, "demo")
    assert again.returncode == 0, again.stderr
    assert f"indexed {files}/{files}" in again.stdout
    assert all(worker_processes.running(home, name) for name in worker_processes.WORKERS)
    assert modules_of(home) == []


@pytest.mark.long
def test_files_that_are_no_text_are_told_and_counted(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bytes.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "text\x1b[31m.txt").write_text("# A title\nwords words streams https://example.org/\n")
    (tmp_path / "empty.txt").write_text("")
    os.mkfifo(tmp_path / "pipe")
    ran = comm(home, "demo", tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "2 files read, 1 could not be read" in ran.stdout
    assert "bytes.bin: it is not UTF-8 text" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert nothing_runs(home)


@pytest.mark.long
def test_a_folder_that_cannot_be_read_is_one_clear_message(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    for folder, code, says in (
        ("missing", 3, "there is no folder"),
        ("empty", 3, "there is no file to read"),
        ("file.txt", 2, "is a file"),
    ):
        ran = comm(home, "demo", tmp_path / folder)
        assert (ran.returncode, ran.stdout) == (code, "")
        assert says in ran.stderr
    assert nothing_runs(home)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_interrupted_it_stops_what_it_started(home: Path, tmp_path: Path, number: signal.Signals) -> None:
    for name in range(300):
        (tmp_path / f"{name}.txt").write_text("words " * 20_000)
    process = subprocess.Popen(
        [*COMMAND, "demo", str(tmp_path)],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: len(modules_of(home)) == 3)
    process.send_signal(number)
    _, words = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert b"Traceback" not in words
    assert nothing_runs(home)


def test_hidden_and_very_large_files_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "MAX_BYTES", 10)
    for name in ("a.txt", ".hidden", ".git/config", "deep/b.txt", "deep/large.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x" * (11 if "large" in name else 5))
    assert [path.name for path in corpus.files(tmp_path)] == ["a.txt", "b.txt"]
    with pytest.raises(NotFound):
        corpus.files(tmp_path / "deep" / "nothing")
    with pytest.raises(ConfigurationError):
        corpus.files(tmp_path / "a.txt")


def test_a_page_that_comes_twice_is_in_the_index_once(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.db")
    finding = Finding("p", "A title", 2, [], [], "streams of words", 1)
    assert [index.add("s", finding), index.add("s", finding)] == [1, 1]
    assert len(index.search("streams")) == 1
    index.clear()
    assert index.search("streams") == []
    index.close()


@pytest.mark.long
def test_a_relative_folder_is_read_whatever_its_names_are_and_no_link_is_followed_out(
    home: Path, tmp_path: Path
) -> None:
    """The modules run elsewhere, names of files need not be UTF-8, and what lies outside was not given."""
    folder, outside = tmp_path / "a folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.txt").write_text("secret words")
    (folder / "plain % and #.txt").write_text("# Plain\n\nplain words")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("# Old disk\n\nmore words")
    (folder / "inside.txt").symlink_to("plain % and #.txt")
    (folder / "out.txt").symlink_to(outside / "secret.txt")
    (folder / "folder-out").symlink_to(outside)
    ran = comm(home, "demo", "a folder", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "files   3 in a folder" in ran.stdout
    assert "3 files read, 0 could not be read" in ran.stdout
    assert "indexed 3/3" in ran.stdout
    assert "secret" not in ran.stdout
    assert nothing_runs(home)


@pytest.mark.parametrize(
    ("called", "program"),
    [
        ("claude_comm/__main__.py", ["/a folder/python", "-m", "claude_comm"]),
        ("a bin/claude-comm", ["a bin/claude-comm"]),
    ],
)
def test_the_commands_that_it_tells_to_type_are_words_of_a_shell(
    called: str, program: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    monkeypatch.setattr(sys, "executable", "/a folder/python")
    monkeypatch.setenv("PATH", "")
    assert shlex.split(show._program()) == program

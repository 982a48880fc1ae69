"""What a shell proposes: commands, modules, sessions, messages; read from the local database and nothing else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from claude_comm import ModuleCommunicator
from claude_comm.names import Keys
from claude_comm.settings import Settings
from claude_comm.store.catch_up import catch_up
from claude_comm.store.database import open_database
from claude_comm.transport.connect import connect


def proposed(environ: dict[str, str], *words: str) -> list[str]:
    """The proposals for the last of these words."""
    variables = {
        "COMP_WORDS": " ".join(("claude-comm", *words)),
        "COMP_CWORD": str(len(words)),
        "_CLAUDE_COMM_COMPLETE": "complete_bash",
    }
    done = subprocess.run(
        [sys.executable, "-c", "from claude_comm.__main__ import main; main()"],
        env={**environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def sent(settings: Settings) -> str:
    with ModuleCommunicator("sparta", settings=settings) as sparta, sparta.session("first-steps"):
        id_ = sparta.send_message("sparta", "marker", {"n": 1})
    with connect(settings) as client, open_database(settings.database) as database:
        catch_up(client, database, Keys(settings.namespace), max_bytes=settings.max_envelope_bytes)
    return id_


@pytest.mark.long
def test_commands_modules_sessions_and_messages_are_proposed(environ: dict[str, str], sent: str) -> None:
    assert proposed(environ, "li") == ["list"]
    assert "redrive" in proposed(environ, "dead", "")
    assert proposed(environ, "list", "--target", "m") == ["marker"]
    assert proposed(environ, "list", "--session", "") == ["first-steps"]
    assert proposed(environ, "send", "sp") == ["sparta"]
    assert proposed(environ, "show", "") == ["1"]
    assert proposed(environ, "show", sent[:8]) == [sent]
    assert proposed(environ, "show", "*") == []
    assert proposed(environ, "worker", "j") == ["janitor"]


def test_nothing_is_started_made_or_complained_of(environ: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "never made"
    fresh = {**environ, "CLAUDE_COMM_HOME": str(home), "CLAUDE_COMM_URL": ""}
    assert proposed(fresh, "list", "--target", "") == []
    assert not home.exists()
    home.mkdir()
    (home / "claude-comm.db").write_bytes(b"no database " * 100)
    assert proposed(fresh, "show", "") == []


def test_the_script_for_a_shell_is_shown(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "claude_comm", "--show-completion", "bash"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "COMP_WORDS" in done.stdout, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_is_installed_for_a_shell(environ: dict[str, str], tmp_path: Path, shell: str) -> None:
    words = [sys.executable, "-m", "claude_comm", "--install-completion", shell]
    done = subprocess.run(words, env={**environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any("_CLAUDE_COMM_COMPLETE" in file.read_text() for file in tmp_path.rglob("*") if file.is_file())


def test_what_failed_stands_out_on_a_terminal(environ: dict[str, str], tmp_path: Path) -> None:
    """In colours that a light and a dark terminal show; not for who sets NO_COLOR."""
    for name, schema in (("sent", '{"type": "integer"}'), ("accepted", '{"type": "string"}')):
        (tmp_path / name).write_text(schema)
    check = ("schema", "explain", str(tmp_path / "sent"), str(tmp_path / "accepted"))
    assert "\x1b[1;31mincompatible" in shown(environ, *check)
    assert "\x1b[1;31mError:" in shown(environ, "show", "7")
    assert "\x1b[1;31m" not in shown({**environ, "NO_COLOR": "1"}, *check)


def shown(environ: dict[str, str], *arguments: str) -> str:
    """What a terminal of 80 columns shows."""
    reading, writing = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "claude_comm", *arguments],
        env={**environ, "TERM": "xterm", "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
    )
    os.close(writing)
    parts: list[bytes] = []
    try:
        while part := os.read(reading, 65536):
            parts.append(part)
    except OSError:
        pass  # the end of a terminal
    os.close(reading)
    process.wait()
    return b"".join(parts).decode()

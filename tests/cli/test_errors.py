"""Every error is one message on stderr and the exit code of its kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from claude_comm.cli.commands import version
from claude_comm.errors import ServerUnreachable, UnknownMessage
from tests.support.homes import child_environ


def test_a_wrong_word_proposes_the_nearest_command(run: Any) -> None:
    ran = run("verson")
    assert (ran.code, ran.out) == (2, "")
    assert "'version'" in ran.err


@pytest.mark.parametrize("arguments", [[], ["check"], ["check", "a", "b", "c"], ["version", "--no"], ["--no"]])
def test_wrong_usage_exits_with_2_and_shows_the_usage(run: Any, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Usage: claude-comm" in ran.err


def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(run: Any) -> None:
    ran = run("graph", "--format", "png")
    assert (ran.code, ran.out) == (2, "")
    assert ": 'png' is not one of 'text'" in ran.err
    assert "Value error" not in ran.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(UnknownMessage("7"), 3), (ServerUnreachable("unix://x", "gone"), 5), (KeyboardInterrupt(), 130)],
)
def test_the_exit_code_is_that_of_the_error(
    run: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def raises(as_json: bool = False) -> None:
        raise error

    monkeypatch.setattr(version, "command", raises)
    ran = run("version")
    assert (ran.code, ran.out) == (code, "")
    assert "Traceback" not in ran.err
    assert str(error).splitlines() == ran.err.removeprefix("Error: ").splitlines()


@pytest.mark.parametrize("command", [("list",), ("send", "a", "b", "1"), ("status",), ("up",), ("modules",), ("demo",)])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLAUDE_COMM_URL", "redis://localhost:99999"),
        ("CLAUDE_COMM_URL", "redis://localhost/orders"),
        ("CLAUDE_COMM_URL", "redis://localhost?no_such_option=1"),
        ("CLAUDE_COMM_URL", "redis://[::1"),
        ("CLAUDE_COMM_HOME", "/etc/passwd"),
        ("CLAUDE_COMM_HOME", "/etc/passwd/below"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_whatever_the_command(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...], name: str, value: str
) -> None:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(tmp_path))
    monkeypatch.setenv("CLAUDE_COMM_URL", "redis://localhost:1")
    monkeypatch.setenv(name, value)
    ran = run(*command)
    assert ran.code == 2, ran.err
    assert ran.err.startswith("Error: ")
    assert len(ran.err.splitlines()) == 1


# To root, no folder is closed: it goes without that right.
_WITHOUT_RIGHTS = "-dac_override,-dac_read_search"
AS_NOBODY_ELSE = (
    ["setpriv", f"--inh-caps={_WITHOUT_RIGHTS}", f"--bounding-set={_WITHOUT_RIGHTS}"] if os.geteuid() == 0 else []
)


@pytest.mark.skipif(bool(AS_NOBODY_ELSE) and shutil.which("setpriv") is None, reason="takes rights from root")
@pytest.mark.parametrize("closed", ["the home", "the folder above"])
@pytest.mark.parametrize("command", ["list", "send a b 1", "status", "up", "demo"])
def test_a_home_that_cannot_be_read_is_one_sentence(tmp_path: Path, command: str, closed: str) -> None:
    home = tmp_path / "above" / "home"
    home.mkdir(parents=True, mode=0o700)
    folder = home if closed == "the home" else home.parent
    folder.chmod(0)
    words = [*AS_NOBODY_ELSE, sys.executable, "-m", "claude_comm", *command.split()]
    try:
        environ = child_environ(CLAUDE_COMM_HOME=str(home))
        ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o700)
    assert (ran.returncode, ran.stdout) == (2, ""), ran.stderr
    assert ran.stderr.startswith(f"Error: the folder {home} cannot be ")
    assert len(ran.stderr.splitlines()) == 1

"""Text that came from elsewhere cannot steer the terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from claude_comm.terminal import output
from claude_comm.terminal.tables import numbers

HOSTILE = "a\x1b[2Jb\x07\r\n\x9b31mc\u202egnp.exe\u2066\u200b\ufeff\U000e0041\x7f[red]x[/red]"


def test_clean_text_is_one_line_without_any_steering_character() -> None:
    shown = output.clean(HOSTILE)
    assert shown.isprintable()
    assert "\\x1b[2J" in shown
    assert "[red]x[/red]" in shown


def test_clean_leaves_the_scripts_of_the_world_alone() -> None:
    for text in ("Grüße", "日本語", "עברית", "العربية", "emoji 🎉", "tab-free"):
        assert output.clean(text) == text


def test_json_keeps_every_character_as_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_json({"text": HOSTILE})
    written = capsys.readouterr().out
    assert json.loads(written)["text"] == HOSTILE
    assert written.replace("\n", "").isprintable()


def test_a_table_in_a_pipe_is_aligned_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table([*numbers("id"), "name"], [[1, "one"], [23, HOSTILE]])
    head, first, second = capsys.readouterr().out.splitlines()
    assert (head, first) == ("id  name", " 1  one")
    assert second.isprintable()


def test_fields_keep_the_lines_of_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_fields({"id": 1, "data": "{\n  x\n}"})
    assert capsys.readouterr().out == "id    1\ndata  {\n        x\n      }\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    """As with `| head`: no traceback, and the answer of the command stands."""
    script = "from claude_comm.__main__ import main; import sys; sys.exit(main(['version']))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_cannot_write_a_character_gets_its_escape() -> None:
    script = "from claude_comm.terminal import output; output.prepare(); output.emit('日本')"
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environ, check=True)
    assert done.stdout == b"\\u65e5\\u672c\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["version", "--json"]])
def test_output_that_cannot_be_written_fails_without_a_traceback(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "claude_comm", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m claude_comm version {closed}"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=False).returncode == 0

"""Log lines: for whoever reads them, where the application wants them, and no trouble for the code that logs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import child_environ

LOG = "from claude_comm.telemetry.logs import get_logger; log = get_logger(); log.warning('a.b', n=1); print('alive')"
RAISED = """
import sys
from claude_comm.telemetry.logs import get_logger
try:
    raise ValueError("x" * 10_000_000)
except ValueError as error:
    import traceback
    get_logger({level!r}).error("delivery.failed", error=str(error), traceback=traceback.format_exc())
    get_logger({level!r}).error("delivery.failed", exc_info=sys.exc_info())
"""


def logged(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], env=child_environ(), capture_output=True, text=True, check=True
    )


def on_terminal(script: str) -> str:
    """What a terminal shows of it."""
    reading, writing = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], env=child_environ(TERM="xterm"), stderr=writing)
    os.close(writing)
    parts: list[bytes] = []
    try:
        while part := os.read(reading, 65536):
            parts.append(part)
    except OSError:
        pass  # the end of a terminal
    os.close(reading)
    assert process.wait() == 0
    return b"".join(parts).decode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_log_on_a_full_disk_does_not_end_the_program() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", LOG], env=child_environ(), stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert done.stdout == b"alive\n"


def test_a_line_while_another_thread_imports_structlog_is_written() -> None:
    """Its module is there then, and empty: that ended a worker as it was told of its first outage."""
    half_way = "import sys, types; sys.modules['structlog'] = types.ModuleType('structlog')\n"
    finding = "from claude_comm.telemetry import logs\nassert logs._host_structlog() is None\nprint('alive')"
    assert logged(half_way + finding).stdout == "alive\n"


def test_a_line_is_json_where_no_terminal_reads_it() -> None:
    assert logged(LOG).stderr.startswith('{"n": 1, "event": "a.b", "level": "warning"')


def test_one_setting_decides_the_level_and_the_form() -> None:
    lines = "log = get_logger(LEVEL); log.info('low'); log.error('high', n=1)"
    script = f"from claude_comm.telemetry.logs import get_logger; {lines}"
    text = logged(script.replace("LEVEL", "'error-text'")).stderr
    assert "low" not in text
    assert "high" in text
    assert not text.startswith("{")
    shown = on_terminal(script.replace("LEVEL", "'info-json'"))
    assert [json.loads(line)["event"] for line in shown.splitlines()] == ["low", "high"]


def test_an_application_s_own_structlog_gets_the_events_as_it_is_configured() -> None:
    configured = "import structlog; structlog.configure(processors=[lambda _, __, e: 'MINE ' + str(sorted(e))]); "
    done = logged(configured + LOG)
    assert (done.stdout, done.stderr) == ("MINE ['event', 'n']\nalive\n", "")


def test_an_application_s_own_logging_gets_the_events_and_decides_their_level() -> None:
    configured = "import logging; logging.basicConfig(format='%(name)s/%(levelname)s/%(message)s'); "
    assert logged(configured + LOG).stderr == "claude_comm/WARNING/a.b n=1\n"
    quiet = configured + "logging.getLogger('claude_comm').setLevel('ERROR'); "
    assert logged(quiet + LOG).stderr == ""


def test_nothing_that_is_logged_steers_a_terminal() -> None:
    script = LOG.replace("n=1", r"reason='red \x1b[31m and \x9b2J', traceback='Traceback\n  \x1b]0;title\x07'")
    shown = on_terminal(script)
    assert "\\x1b[31m" in shown
    assert "\x1b[31m and" not in shown
    assert "\x9b" not in shown
    assert "\x1b]0" not in shown
    plain = "import logging; logging.basicConfig(); " + script
    assert "\x1b" not in logged(plain).stderr


def test_a_traceback_is_lines_for_a_person_and_one_field_for_a_program_and_is_cut() -> None:
    """A 10 MB exception fills no disk."""
    programs = [json.loads(line) for line in logged(RAISED.format(level="info-json")).stderr.splitlines()]
    assert len(programs) == 2
    assert all(sum(len(str(value)) for value in line.values()) < 50_000 for line in programs)
    assert programs[0]["traceback"].startswith("Traceback (most recent call last):\n")
    assert "characters left out" in programs[1]["exception"]
    shown = on_terminal(RAISED.format(level="info-text"))
    assert len(shown) < 100_000
    assert any(line.startswith("Traceback") for line in shown.splitlines())
    assert any(line.strip() == 'raise ValueError("x" * 10_000_000)' or "line 5" in line for line in shown.splitlines())


def test_a_client_is_imported_without_what_only_writing_a_line_takes() -> None:
    done = logged("import sys; from claude_comm.telemetry.logs import get_logger; get_logger(); print(*sys.modules)")
    assert not {"structlog", "rich", "asyncio"} & set(done.stdout.split())

"""docs/mcp.md: its code runs and says what it says, and what it names is there."""

from __future__ import annotations

import re
import subprocess
import sys

from claude_comm.cli.app import ENTRIES, load
from claude_comm.mcp_server.tools import resources, toolbox
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S

PAGE = (REPOSITORY / "docs" / "mcp.md").read_text(encoding="utf-8")


def test_the_code_on_the_page_runs_and_prints_what_it_says() -> None:
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=child_environ(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == re.findall(r"print\(.*\)  # (.*)$", code, re.M)


def test_every_tool_and_resource_is_on_the_page() -> None:
    for name in (*toolbox.FIXED, *(resource.uri for resource in resources._OWN)):
        assert f"`{name}`" in PAGE, name


def test_every_option_on_the_page_is_there() -> None:
    options = {
        option
        for name in ("mcp", "mcp install", "mcp adopt")
        for param in load(ENTRIES[name]).params
        for option in param.opts
    }
    assert set(re.findall(r"(?<!-)--[a-z][a-z-]+", PAGE)) <= options

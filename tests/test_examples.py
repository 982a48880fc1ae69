"""Every example runs, as its first lines say, in a home where nothing runs yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.py"))
# One imports the SDK of MCP in two processes, some start servers of their own beside that of the home.
LONG = frozenset(("agent.py", "cluster.py", "json_schema.py", "large_files.py", "tested_module.py"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize(
    "example",
    [pytest.param(path, id=path.name, marks=pytest.mark.long if path.name in LONG else ()) for path in EXAMPLES],
)
def test_an_example_runs(example: Path, home: Path) -> None:
    assert f"python examples/{example.name}" in example.read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(example)],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr

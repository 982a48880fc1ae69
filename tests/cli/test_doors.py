"""The ways in that are documented lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.homes import REPOSITORY, child_environ

IMPORTS = re.findall(r"`(from claude_comm[\w.]* import [\w, ]+)`", (REPOSITORY / "docs/concepts.md").read_text())


@pytest.mark.parametrize("module", ["claude_comm", "claude_comm.cli"])
def test_the_command_line_is_a_module_to_run(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "version"], env=child_environ(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("claude-comm")


def test_each_documented_import_works() -> None:
    assert len(IMPORTS) >= 5
    for statement in IMPORTS:
        exec(statement, {})

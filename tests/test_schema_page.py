"""What docs/schema.md tells to type prints what stands below it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S

PAGE = (REPOSITORY / "docs" / "schema.md").read_text(encoding="utf-8")
# What is typed, and what it prints.
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def ran(language: str, text: str, folder: Path) -> str:
    command = ["bash", "-euc", text] if language == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(
        command, cwd=folder, env=child_environ(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.long
def test_every_example_prints_what_stands_below_it_in_this_order(tmp_path: Path) -> None:
    assert len(EXAMPLES) == len(re.findall(r"^```(?:sh|python)$", PAGE, flags=re.MULTILINE)) == 9
    for language, typed, printed in EXAMPLES:
        assert ran(language, typed, tmp_path) == printed, typed

"""Each line of docs/migrating.md: what it says to import is there, and what it says to run is a command."""

from __future__ import annotations

import importlib
import re

import pytest

from claude_comm import ModuleCommunicator
from claude_comm.__main__ import main
from tests.support.homes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "migrating.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
IMPORTS = sorted({found for _, here in ROWS for found in re.findall(r"from (\S+) import (\w+)", here)})
COMMANDS = sorted({found for row in ROWS for cell in row for found in re.findall(r"claude-comm ([a-z-]+)", cell)})
METHODS = [found for there, _ in ROWS for found in re.findall(r"^ *`\.(\w+)\(", there)]


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_what_is_to_be_imported_is_there(module: str, name: str) -> None:
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_to_be_run_is_a_command(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"claude-comm {command}" in capfd.readouterr().out


def test_the_methods_are_there_and_the_page_was_read() -> None:
    assert [name for name in METHODS if not callable(getattr(ModuleCommunicator, name, None))] == []
    assert (len(IMPORTS), len(METHODS), len(COMMANDS)) == (10, 4, 9)

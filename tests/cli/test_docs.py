"""Every command has help and an entry in the reference, which is written from the code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from typing import Any

import pytest

from claude_comm.cli.app import ENTRIES, SECTIONS, CommandEntry, group, load
from tests.support.homes import PACKAGE, REPOSITORY

COMMANDS = [pytest.param(entry, id=entry.name) for entry in ENTRIES.values()]


def function_of(entry: CommandEntry) -> Any:
    return importlib.import_module(entry.module).command


@pytest.mark.parametrize("entry", COMMANDS)
def test_the_help_that_stands_in_the_list_is_the_first_line_of_the_docstring(entry: CommandEntry) -> None:
    doc = inspect.getdoc(function_of(entry))
    assert doc is not None
    assert doc.splitlines()[0] == entry.help


@pytest.mark.parametrize("entry", COMMANDS)
def test_every_argument_and_option_has_help(entry: CommandEntry) -> None:
    for param in load(entry).params:
        help_ = getattr(param, "help", None)
        assert help_, f"{entry.name}: {param.name}"
        assert help_[0].isupper() or help_.startswith(("JSON", "A ")), f"{entry.name}: {help_}"
        assert help_.endswith("."), f"{entry.name}: {help_}"


@pytest.mark.parametrize("entry", COMMANDS)
def test_no_default_is_refused_where_it_is_given(entry: CommandEntry) -> None:
    """A default outside of the bounds stands in the help as if it could be typed."""
    for param in load(entry).params:
        least = getattr(param, "min", None)
        if least is not None and isinstance(param.default, (int, float)):
            assert param.default >= least, f"{entry.name}: {param.name}"


@pytest.mark.parametrize("entry", COMMANDS)
def test_every_command_that_shows_something_has_json(entry: CommandEntry) -> None:
    silent = {"down", "worker", "run", "demo", "projection export", "mcp", "mcp adopt"}
    # What they write is JSON, whoever reads it.
    silent |= {"record", *(name for name in ENTRIES if name.startswith("export "))}
    assert any("--json" in param.opts for param in load(entry).params) is (entry.name not in silent)


def test_every_file_of_commands_is_the_command_of_its_name() -> None:
    files = {path.stem for path in (PACKAGE / "cli/commands").glob("*.py")} - {"__init__"}
    assert files == {entry.module.rpartition(".")[2] for entry in ENTRIES.values()}


def test_the_help_of_the_whole_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    group().main(["--help"], prog_name="claude-comm", standalone_mode=False)
    out = capsys.readouterr().out
    for entry in ENTRIES.values():
        assert f"  {entry.name} " in out
        assert entry.help.split()[0] in out
    for section in SECTIONS:
        assert f"{section}:" in out


def test_the_references_are_what_the_code_says() -> None:
    spec = importlib.util.spec_from_file_location("generate", REPOSITORY / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for path, page in generate.pages().items():
        assert path.read_text(encoding="utf-8") == page, "run `python docs/generate.py`"


def test_every_page_is_listed_in_the_index() -> None:
    docs = REPOSITORY / "docs"
    listed = re.findall(r"^([\w-]+)$", (docs / "index.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = sorted(path.stem for path in docs.glob("*.md") if path.stem != "index")
    assert sorted(listed) == pages, "list each page once in docs/index.md"

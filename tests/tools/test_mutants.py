"""The small changes that tests have to notice: which there are, and that it is a changed function that is tried."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.homes import REPOSITORY

TOOLS, MUTANTS = REPOSITORY / "tools", REPOSITORY / "tests" / "mutants.md"
SOURCE = '''"""Words."""

from functools import cache

LIMIT = 10


@cache
def within(count: int, most: int | None = 3) -> bool:
    """Whether."""
    if most is None:
        return True
    return count <= most


def below(count: int) -> list[int]:
    number, numbers = 0, []
    while number < count:
        number += 1
        numbers.append(number)
    return numbers


class Counted:
    first = 1

    def again(self, times: int) -> int:
        return sum(self.first for _ in range(times))
'''
TEST = """
from counted import Counted, below, within

assert within(2)


def test_within():
    assert within(2)
    assert not within(9)


def test_below():
    assert below(2) == [1, 2]


def test_again():
    assert Counted().again(4) == 4
"""


@pytest.fixture
def changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(TOOLS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counted.py").write_text(SOURCE)
    (tmp_path / "test_counted.py").write_text(TEST)
    changes = importlib.import_module("changes")
    changes.code_of.cache_clear()
    return changes


def test_each_change_is_of_what_runs_and_not_of_a_type_a_text_or_a_figure(changes: ModuleType) -> None:
    assert [str(mutant) for mutant in changes.mutants_of(["counted.py"])][:8] == [
        "counted.py:9: 3  ->  4",
        "counted.py:9: 3  ->  2",
        "counted.py:11: most is None  ->  most is not None",
        "counted.py:12: return True  ->  return None",
        "counted.py:12: True  ->  False",
        "counted.py:13: return count <= most  ->  return None",
        "counted.py:13: count <= most  ->  count < most",
        "counted.py:13: count <= most  ->  count > most",
    ]


def test_the_place_of_a_change_is_its_function_and_the_lines_of_its_statement_alone(changes: ModuleType) -> None:
    places = {str(mutant).partition(": ")[2]: mutant.place for mutant in changes.mutants_of(["counted.py"])}
    # A default is evaluated at the import; the head of a loop ends where its body begins.
    assert places["3  ->  4"] == ("", 0, 9, 9)
    assert places["number < count  ->  number <= count"] == ("below", 16, 18, 18)
    assert places["1  ->  2"] == ("Counted", 0, 25, 25)
    assert places["return sum((self.first for _ in range(times)))  ->  return None"] == ("Counted.again", 27, 28, 28)


def test_a_mutant_is_imported_in_place_of_its_file(changes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    less = next(mutant for mutant in changes.mutants_of(["counted.py"]) if mutant.after == "count < most")
    monkeypatch.setattr(sys, "meta_path", [changes.ChangedModule(less), *sys.meta_path])
    changed = importlib.import_module("counted")
    monkeypatch.delitem(sys.modules, "counted")
    assert [changed.within(2), changed.within(3), changed.within(4)] == [True, False, False]
    assert (Path("counted.py")).read_text() == SOURCE


def test_a_file_is_read_once_so_that_it_may_be_edited_while_its_changes_are_tried(changes: ModuleType) -> None:
    less = next(mutant for mutant in changes.mutants_of(["counted.py"]) if mutant.after == "count < most")
    Path("counted.py").write_text(f"more = 1 + 1\n{SOURCE}")
    changed = ast.unparse(changes.changed(less.file, less.number))
    assert "return count < most" in changed
    assert "more" not in changed


def test_since_a_commit_only_functions_that_have_another_code_are_changed(changes: ModuleType) -> None:
    git = ["git", "-c", "user.name=one", "-c", "user.email=one@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    assert changes.newer(changes.mutants_of(["counted.py"]), "HEAD") == []

    # Moved down and written in other lines; another figure in a function and in a class; a new file.
    edited = SOURCE.replace("def below(count: int) -> list[int]:", "\ndef below(\n    count: int,\n) -> list[int]:")
    edited = edited.replace("most is None", "most == 0").replace("first = 1", "first = 2")
    changes.code_of.cache_clear()
    Path("counted.py").write_text(edited)
    Path("new.py").write_text("count: int = 1\n")
    mutants = changes.mutants_of(["counted.py", "new.py"])
    assert [str(mutant).partition(": ")[2] for mutant in changes.newer(mutants, "HEAD")] == [
        "most == 0  ->  most != 0",
        "0  ->  1",
        "0  ->  -1",
        "return True  ->  return None",
        "True  ->  False",
        "return count <= most  ->  return None",
        "count <= most  ->  count < most",
        "count <= most  ->  count > most",
        "2  ->  3",
        "2  ->  1",
        "1  ->  2",
        "1  ->  0",
    ]
    with pytest.raises(subprocess.CalledProcessError):
        changes.newer(mutants, "nowhere")


def names_in(file: Path) -> set[str]:
    """Its functions and classes, by their qualified names."""
    found, inside = set[str](), [("", ast.parse(file.read_text(encoding="utf-8")))]
    while inside:
        around, tree = inside.pop()
        for node in ast.iter_child_nodes(tree):
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            name = f"{around}.{node.name}".lstrip(".") if named else around
            found.add(name)
            inside.append((name, node))
    return found


def test_each_place_in_the_list_of_survivors_is_there() -> None:
    """Who renames or moves a function renames its row; what was changed in it is tried again by `--since`."""
    places = re.findall(r"^\| `([\w/]+\.py)`, (?:`([\w.]+)`|at import) \|", MUTANTS.read_text(encoding="utf-8"), re.M)
    assert len(places) > 100
    files = [file for part in ("delivery", "schema") for file in (REPOSITORY / "claude_comm" / part).rglob("*.py")]
    names = {str(file): names_in(file) for file in files}
    for place, name in places:
        assert any(file.endswith(f"/{place}") and name in known for file, known in names.items()), (place, name)


def run_tool(*options: str) -> subprocess.CompletedProcess[str]:
    """The tool as a program, on the files of this test in place of the repository."""
    here = Path.cwd()
    for name in ("changes.py", "warm_tests.py"):
        (here / name).write_text((TOOLS / name).read_text())
    program = (TOOLS / "mutants.py").read_text().replace("Path(__file__).resolve().parent.parent", "Path.cwd()")
    (here / "tool.py").write_text(program)
    return subprocess.run(
        [sys.executable, "tool.py", "counted.py", "--tests", "test_counted.py", *options],
        env={"PYTHONPATH": ".", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


SURVIVORS = [
    "counted.py:9: 3  ->  4",
    "counted.py:9: 3  ->  2",
    "counted.py:12: return True  ->  return None",
    "counted.py:12: True  ->  False",
    "counted.py:13: count <= most  ->  count < most",
]


@pytest.mark.long
def test_those_that_no_test_notices_are_named(changes: ModuleType) -> None:
    """Also what is remembered from before the change, what never ends, and what runs at the import of a module."""
    ran = run_tool("--out", "out.jsonl")
    *survivors, counts = ran.stdout.splitlines()
    assert (ran.returncode, survivors) == (1, SURVIVORS), ran.stderr
    assert counts == "20 mutants, 20 tried: 13 killed, 2 timed out, 5 survived"
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert {record["after"]: record["fate"] for record in records}["pass"] == "timed out"

    again = run_tool("--out", "out.jsonl")
    assert (again.returncode, again.stdout) == (1, ran.stdout)
    assert len(Path("out.jsonl").read_text().splitlines()) == len(records)


@pytest.mark.long
def test_a_process_for_each_mutant_finds_the_same(changes: ModuleType) -> None:
    quick, exact = run_tool("--sample", "5"), run_tool("--sample", "5", "--exact")
    assert (exact.returncode, exact.stdout) == (quick.returncode, quick.stdout), exact.stderr
    assert exact.stdout.endswith("20 mutants, 5 tried: 3 killed, 0 timed out, 2 survived\n")

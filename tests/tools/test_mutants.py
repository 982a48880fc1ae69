"""The small changes that tests have to notice: which there are, and that a mutant is what gets imported."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.homes import REPOSITORY

SOURCE = '''"""Words."""

LIMIT = 10


def within(count: int, most: int | None = 3) -> bool:
    """Whether."""
    if most is None:
        return True
    return count <= most
'''
TEST = "from counted import within\n\n\ndef test_within():\n    assert within(2)\n    assert not within(9)\n"


@pytest.fixture
def mutants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", REPOSITORY / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "REPOSITORY", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counted.py").write_text(SOURCE)
    (tmp_path / "test_counted.py").write_text(TEST)
    return module


def test_each_change_is_of_what_runs_and_not_of_a_type_a_text_or_a_figure(mutants: ModuleType) -> None:
    assert [str(mutant) for mutant in mutants.mutants_of(["counted.py"])] == [
        "counted.py:6: 3  ->  4",
        "counted.py:6: 3  ->  2",
        "counted.py:8: most is None  ->  most is not None",
        "counted.py:9: return True  ->  return None",
        "counted.py:9: True  ->  False",
        "counted.py:10: return count <= most  ->  return None",
        "counted.py:10: count <= most  ->  count < most",
        "counted.py:10: count <= most  ->  count > most",
    ]


def test_a_mutant_is_imported_in_place_of_its_file(mutants: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    less = next(mutant for mutant in mutants.mutants_of(["counted.py"]) if mutant.after == "count < most")
    monkeypatch.setattr(sys, "meta_path", [mutants.ChangedModule(less), *sys.meta_path])
    changed = importlib.import_module("counted")
    monkeypatch.delitem(sys.modules, "counted")
    assert [changed.within(2), changed.within(3), changed.within(4)] == [True, False, False]
    assert (Path("counted.py")).read_text() == SOURCE


@pytest.mark.long
def test_those_that_no_test_notices_are_named(mutants: ModuleType) -> None:
    program = Path(mutants.__file__ or "").read_text().replace("Path(__file__).resolve().parent.parent", "Path.cwd()")
    Path("tool.py").write_text(program)
    ran = subprocess.run(
        [sys.executable, "tool.py", "counted.py", "--tests", "test_counted.py"],
        env={"PYTHONPATH": ".", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout.splitlines()) == (
        1,
        [
            "counted.py:6: 3  ->  4",
            "counted.py:6: 3  ->  2",
            "counted.py:9: return True  ->  return None",
            "counted.py:9: True  ->  False",
            "counted.py:10: count <= most  ->  count < most",
            "8 mutants, 8 tried: 3 killed, 0 timed out, 5 survived",
        ],
    )

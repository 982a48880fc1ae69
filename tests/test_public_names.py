"""What the front doors name is public, exists, is documented, and nothing else is."""

from __future__ import annotations

import importlib
import re
import runpy
import subprocess
import sys

import pytest
from packaging.version import Version

from tests.support.homes import REPOSITORY, child_environ

DOORS = (
    "claude_comm",
    "claude_comm.schema",
    "claude_comm.progress",
    "claude_comm.progress.queries",
    "claude_comm.testing",
)


def documented(door: str) -> set[str]:
    """The names with a heading in the section of that door in docs/api.md."""
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    (section,) = [text for text in sections if text.startswith(f"`{door}`")]
    return set(re.findall(r"^### `(\w+)", section, flags=re.MULTILINE))


@pytest.mark.parametrize("door", DOORS)
def test_every_public_name_can_be_imported(door: str) -> None:
    module = importlib.import_module(door)
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("door", DOORS)
def test_all_is_what_is_public(door: str) -> None:
    """Asked before anything else was imported: submodules that are imported become attributes of their package."""
    script = f"import {door} as m; print(*(n for n in dir(m) if not n.startswith('_')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=child_environ()
    )
    module = importlib.import_module(door)
    helpers = {"annotations", "TYPE_CHECKING", "Any", "import_module"}
    is_package = hasattr(module, "__path__")
    names = done.stdout.split() if is_package else []
    submodules = {name for name in names if importlib.util.find_spec(f"{door}.{name}")}
    public = {name for name in module.__all__ if not name.startswith("_")}
    assert set(done.stdout.split()) - helpers - submodules | (submodules & public) == public


@pytest.mark.parametrize("door", [door for door in DOORS if not door.endswith("queries")])
def test_no_file_is_called_like_a_public_name(door: str) -> None:
    """Once that file is imported, its package shows it instead of what the door names."""
    names = importlib.import_module(door).__all__
    assert [name for name in names if importlib.util.find_spec(f"{door}.{name}")] == []


@pytest.mark.parametrize("door", DOORS)
def test_the_reference_documents_exactly_the_public_names(door: str) -> None:
    module = importlib.import_module(door)
    assert documented(door) == {name for name in module.__all__ if not name.startswith("_")}


@pytest.mark.parametrize("door", DOORS)
def test_a_name_that_is_not_public_is_an_attribute_error(door: str) -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonesuch'"):
        _ = importlib.import_module(door).Nonesuch


@pytest.mark.parametrize("door", DOORS)
def test_a_door_lists_its_names_before_any_is_asked_for_and_no_other(door: str) -> None:
    module = importlib.import_module(door)
    opened = runpy.run_path(str(module.__file__), run_name=door)
    assert set(module.__all__) <= set(opened["__dir__"]())
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        opened["__getattr__"]("nothing")


@pytest.mark.skipif(
    not (REPOSITORY / "claude_comm").is_dir(), reason="without the sources: a build writes its revision"
)
def test_the_version_is_one_that_a_build_can_be_called_by() -> None:
    written = runpy.run_path(str(REPOSITORY / "claude_comm" / "version.py"))
    assert Version(written["__version__"]).release >= (0, 1, 0)
    assert written["REVISION"] == ""

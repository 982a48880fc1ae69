"""docs/testing.md: a user's repository with the files of the page, which tests itself with nothing but the package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.homes import REPOSITORY, child_environ

PAGE = (REPOSITORY / "docs" / "testing.md").read_text(encoding="utf-8")


def files() -> dict[str, str]:
    """The blocks of Python on the page, by the name of the file before each."""
    return dict(re.findall(r"^`(\w+\.py)`:\n\n```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    if not _installed():
        command += ["-p", "claude_comm.testing.plugin"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=child_environ())


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(point.value == "claude_comm.testing.plugin" for point in entry_points(group="pytest11"))


def test_each_block_of_python_is_a_file() -> None:
    assert len(files()) == PAGE.count("```python")
    assert set(files()) == {"shop.py", "test_shop.py", "test_contract.py", "test_given.py", "test_chaos.py", "ward.py"}


@pytest.mark.long
def test_the_repository_tests_itself_both_ways(repository: Path) -> None:
    """As it stands all passes; with a module that breaks each promise, the tests say so."""
    whole = pytest_in(repository)
    assert whole.returncode == 0, whole.stdout
    assert "8 passed" in whole.stdout
    text = (repository / "shop.py").read_text()
    (repository / "shop.py").write_text(text.replace("sold = Sold(order.item,", "sold = Sold(order.item + '!',"))
    broken = pytest_in(repository, "test_shop.py", "test_given.py")
    assert broken.returncode == 1
    assert "test_an_order_is_sold" in broken.stdout
    assert "test_what_is_sold_is_what_was_ordered" in broken.stdout


@pytest.mark.long
def test_the_defect_is_found_and_saved_as_it_is_shown(repository: Path) -> None:
    (script,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["bash", "-c", script], cwd=repository, capture_output=True, text=True, check=False, env=child_environ()
    )
    shown = PAGE.split("```text\norder:")[1].split("```")[0]
    for line in f"order:{shown}".splitlines():
        assert re.sub(r"\d+ messages", "", line) in re.sub(r"\d+ messages", "", done.stdout), done.stdout + done.stderr
    saved = pytest_in(repository, "tests")
    assert "1 failed" in saved.stdout

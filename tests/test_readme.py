"""What the README tells to type works as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from claude_comm.settings import PREFIX, Settings
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.long
def test_every_command_works_in_this_order_in_an_empty_home(home: Path, tmp_path: Path) -> None:
    script = "\n".join(["set -eu", *blocks("sh")])
    done = subprocess.run(
        ["bash", "-c", script],
        env=child_environ(CLAUDE_COMM_HOME=str(home)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert '"Hello from SPARTA"' in done.stdout
    assert "compatible: every message" in done.stdout


def test_the_python_in_it_runs(home: Path) -> None:
    for block in blocks("python"):
        command = [sys.executable, "-c", block]
        done = subprocess.run(
            command, env=child_environ(CLAUDE_COMM_HOME=str(home)), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "sparta {'text': 'Hello'}\n"


def test_the_targets_that_it_names_are_in_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("")), flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_every_setting_is_in_its_table() -> None:
    assert sorted(re.findall(rf"^\| `({PREFIX}\w+)`", README, flags=re.MULTILINE)) == sorted(
        PREFIX + name.upper() for name in Settings.__struct_fields__
    )


PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_its_links_lead_somewhere(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (REPOSITORY / page).parent.joinpath(target).exists(), target

"""Every code block of every page runs, in the order in which a reader types them, and prints what stands below it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.homes import REPOSITORY, child_environ
from tests.support.pages import DIRECTIVES, LISTED, PARSED, RUN, blocks, commands, matches

DOCS = REPOSITORY / "docs"
# These have tests of their own, which do more than type them. The references are written from the code.
ELSEWHERE = {
    *("schema.md", "pipelines.md", "values.md", "mcp.md", "testing.md"),
    # What it shows is tried over real sockets, in Node and in a browser: it needs a gateway that runs, and tokens.
    "gateway.md",
    *("cli.md", "api.md"),
}
PAGES = sorted(path.name for path in DOCS.glob("*.md") if path.name not in ELSEWHERE)
TYPED = [page for page in PAGES if any(block.language in RUN for block in blocks((DOCS / page).read_text()))]

RunPage = Callable[[Path, Path, dict[str, str]], str]


@pytest.fixture(scope="module")
def run_page() -> Iterator[RunPage]:
    """Types a page in a folder with an environment; returns what differs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.page_runner"],
        cwd=REPOSITORY,
        env=child_environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, answers = process.stdin, process.stdout

    def run(page: Path, folder: Path, environ: dict[str, str]) -> str:
        question = {"page": str(page), "folder": str(folder), "environ": environ}
        print(json.dumps(question), file=asked, flush=True)
        return str(json.loads(answers.readline()))

    yield run
    asked.close()
    process.wait()
    answers.close()


# Those that start most processes are typed in the long run.
SLOW = {
    "agents.md",
    "tutorial.md",
    "impact.md",
    "discovery.md",
    "security.md",
    "operations.md",
    "registry.md",
    "wire.md",
    "reports.md",
}


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.long) if page in SLOW else page for page in TYPED]
)
def test_a_page_does_what_it_shows(page: str, run_page: RunPage, home: Path, tmp_path: Path) -> None:
    if differs := run_page(DOCS / page, tmp_path, child_environ(CLAUDE_COMM_HOME=str(home))):
        pytest.fail(differs)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in TYPED])
def test_a_page_without_commands_has_data_that_can_be_read(page: str, run_page: RunPage, tmp_path: Path) -> None:
    assert run_page(DOCS / page, tmp_path, child_environ()) == ""


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_block_says_what_it_is(page: str) -> None:
    if page == "cli.md":
        return  # its blocks are the usage lines of commands, from the code
    known = (*RUN, *PARSED, *LISTED, *DIRECTIVES)
    unknown = [
        (block.line, block.language) for block in blocks((DOCS / page).read_text()) if block.language not in known
    ]
    assert unknown == [], f"{page}: see tests/support/pages.py for what a block may be"


def test_a_page_that_lies_is_found_out(run_page: RunPage, home: Path, tmp_path: Path) -> None:
    """The runner itself: a wrong output, a wrong exit code and an exception are each told with their line."""
    page = tmp_path / "page.md"
    environ = child_environ(CLAUDE_COMM_HOME=str(home))
    for text, says in (
        ("```sh\necho a\n```\n\n```text\nb\n```\n", "page.md:1: it prints\na"),
        ("\n```console\n$ false\n```\n", "page.md:2: false: exit code 1, not 0"),
        ("```console\n$ echo abc\nabd\n```\n", "is not in what it wrote"),
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```json\n{\n```\n", "JSONDecodeError"),
        ("<!-- setup\nexit 3\n-->\n", "exit code 3"),
    ):
        page.write_text(text)
        assert says in run_page(page, tmp_path, environ)
    page.write_text(
        "```python\n# shop.py\nprice = 3\n```\n\n```python\nimport shop\n\nprint(shop.price)\n```\n\n```text\n3\n```\n"
    )
    assert run_page(page, tmp_path, environ) == ""


def test_what_is_shown_may_leave_out_parts() -> None:
    assert matches("a … c\n", "a b\nb c\n")
    assert not matches("a … c", "a b d")
    assert list(commands("$ false  # exit 1\nx\n$ true\n")) == [("false", 1, ["x"]), ("true", 0, [])]

"""docs/pipelines.md: what it tells to type runs as it is written, on the shipped example and real files."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm import Settings
from claude_comm.names import Keys
from claude_comm.ops import registry
from claude_comm.transport.driver import Client
from tests.support.homes import REPOSITORY, child_environ
from tests.support.waiting import PATIENCE_S, wait_until

PAGE = (REPOSITORY / "docs" / "pipelines.md").read_text(encoding="utf-8")
MODULES = ("sparta", "marker", "arangodb", "unsloth")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(settings: Settings, environ: dict[str, str], client: Client, tmp_path: Path) -> Iterator[Path]:
    """A copy of the example, with its modules started as the page says."""
    copy = tmp_path / "pipeline"
    shutil.copytree(REPOSITORY / "examples" / "pipeline", copy)
    (starting,) = blocks("sh")
    commands = re.findall(r"claude-comm run (\S+) &", starting)
    assert commands == [f"modules:{name}" for name in MODULES]
    processes = [
        subprocess.Popen(
            ["claude-comm", "run", command], env=child_environ(**environ), cwd=copy, stderr=subprocess.DEVNULL
        )
        for command in commands
    ]
    try:
        keys = Keys(settings.namespace)
        wait_until(lambda: set(client.run(registry.names(keys))) == set(MODULES), what="the registrations")
        yield copy
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(PATIENCE_S)


def typed() -> Iterator[tuple[str, int, list[str]]]:
    """Each command of the page, what it exits with, and the lines that are shown of its output."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            first, *shown = part.rstrip("\n").split("\n")
            command, _, code = first.partition("  # exit ")
            yield command, int(code or 0), shown


def matches(shown: str, line: str) -> bool:
    """A shown line stands for itself; `…` in it for anything."""
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), line) is not None


@pytest.mark.long
def test_every_command_of_the_page_does_what_it_shows(folder: Path, environ: dict[str, str]) -> None:
    commands = list(typed())
    assert len(commands) > 6
    for command, code, shown in commands:
        done = subprocess.run(
            ["bash", "-c", command],
            env=child_environ(**environ),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == code, (command, done.stderr)
        written = done.stdout.splitlines() + done.stderr.splitlines()
        for expected in shown:
            assert any(matches(expected, line) for line in written), (command, expected, written)


@pytest.mark.long
def test_the_mended_chain_has_worked_on_real_files(folder: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        ["claude-comm", "run-pipeline", "mended.yaml", "--input", "papers.jsonl", "--output", "out.jsonl"],
        env=child_environ(**environ),
        cwd=folder,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert len((folder / "out.jsonl").read_text().splitlines()) == 4
    dataset = (folder / "work" / "streams-as-logs.jsonl").read_text().splitlines()
    assert len(dataset) == 2
    assert "append-only log" in dataset[0]
    assert len(list((folder / "work" / "papers").glob("*.json"))) == 3


def test_the_first_document_of_the_page_is_the_shipped_one() -> None:
    assert blocks("json")[0].strip() == (REPOSITORY / "examples" / "pipeline" / "first.json").read_text().strip()

"""What a command imports before it works: the reason why `claude-comm --help` is quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

from claude_comm import Publisher
from claude_comm.settings import Settings

# Each of these takes 20 to 110 ms to import.
HEAVY = {"redis", "rq", "msgspec", "structlog", "rich", "pydantic", "jsonschema", "jsonschema_rs", "asyncio", "sqlite3"}


def imported(*arguments: str, env: dict[str, str] | None = None) -> set[str]:
    """The heavy packages in a process that has run this command, its output in a pipe."""
    script = (
        "import sys; from claude_comm.__main__ import main; main(sys.argv[1:]);"
        "print('\\n' + ' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, env=env
    )
    return HEAVY & set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json", "--limit", "5"), ("show", "1"), ("progress",)])
def test_a_command_that_reads_imports_what_reading_takes(
    arguments: tuple[str, ...], environ: dict[str, str], settings: Settings
) -> None:
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("b", 1)
    # redis imports asyncio, whether it is used or not.
    assert imported(*arguments, env=environ) == {"redis", "msgspec", "sqlite3", "asyncio"}


@pytest.mark.parametrize("arguments", [("--help",), ("version", "--help")])
def test_help_imports_typer_and_nothing_else(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) == set()

"""What a command or a publisher imports before it works: the reason why they start quickly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from claude_comm import Publisher
from claude_comm.settings import Settings

# Each of these takes 20 to 250 ms to import.
HEAVY = set("redis rq msgspec structlog rich pydantic jsonschema jsonschema_rs asyncio sqlite3 typer".split())


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


@pytest.mark.parametrize("arguments", [("list", "--json", "--limit", "5"), ("show", "1"), ("progress",), ("status",)])
def test_a_command_that_reads_imports_what_reading_takes(
    arguments: tuple[str, ...], environ: dict[str, str], settings: Settings
) -> None:
    with Publisher("a", settings=settings) as publisher:
        publisher.publish("b", 1)
    assert imported(*arguments, env=environ) == {"typer", "msgspec", "sqlite3"}


def test_sending_imports_what_reading_does(environ: dict[str, str]) -> None:
    """The engine of schemas only where the target has a contract, and redis-py only where the address needs it."""
    assert imported("send", "a", "b", "1", env=environ) == {"typer", "msgspec", "sqlite3"}


@pytest.mark.parametrize("name", ["Publisher", "Consumer", "Envelope", "Settings"])
def test_a_blocking_client_imports_neither_redis_py_nor_the_engine(name: str) -> None:
    script = f"import sys; from claude_comm import {name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert HEAVY & names <= {"msgspec", "sqlite3"}
    engine = ("regex", "normalform", "formula", "solver", "containment", "evolution.adapt", "validation", "types")
    assert not {f"claude_comm.schema.{package}" for package in engine} & names
    # What is left of ours is one file each of what a client does: a new one is to be thought about.
    assert sum(module.startswith("claude_comm") for module in names) <= 102


@pytest.mark.parametrize("arguments", [("--help",), ("version", "--help")])
def test_help_imports_typer_and_nothing_else(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) == {"typer"}

"""How long a command takes from nothing, as a whole process, against an interpreter that does nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.side_by_side import report, rounds
from claude_comm import Publisher, Settings
from claude_comm.drive import launch

MESSAGES = 10_000


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="cc-"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_COMM_")}
    environ = {**kept, "CLAUDE_COMM_HOME": str(home)}
    command = str(Path(sys.executable).with_name("claude-comm"))

    def run(*words: str) -> None:
        subprocess.run(words, env=environ, stdout=subprocess.DEVNULL, check=True)

    try:
        with Publisher("bench", settings=Settings(home=home)) as publisher:
            publisher.publish_many("sink", ({"n": number, "text": "x" * 100} for number in range(MESSAGES)))
        ways = {
            "python -c pass": lambda: run(sys.executable, "-c", "pass"),
            "claude-comm --help": lambda: run(command, "--help"),
            f"claude-comm list ({MESSAGES:,} held)": lambda: run(command, "list"),
            f"claude-comm list --json ({MESSAGES:,})": lambda: run(command, "list", "--json"),
        }
        report(rounds(ways, 15), baseline="python -c pass")
    finally:
        launch.stop(home)
        shutil.rmtree(home, ignore_errors=True)

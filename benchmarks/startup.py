"""What a command takes from nothing, as a whole process, against an interpreter that does nothing: of the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.place import place
from benchmarks.side_by_side import Result, rounds, times
from claude_comm import Publisher, Settings

MESSAGES = 10_000


def main() -> list[Result]:
    with place() as where:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_COMM_")}
        environ = {**kept, "CLAUDE_COMM_HOME": where.home}
        command = str(Path(sys.executable).with_name("claude-comm"))

        def run(*words: str) -> float:
            process = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, f"{words} exited with {process.returncode}"
            return used.ru_utime + used.ru_stime

        with Publisher("bench", settings=Settings(home=Path(where.home))) as publisher:
            publisher.publish_many("sink", ({"n": number, "text": "x" * 100} for number in range(MESSAGES)))
        ways = {
            "python -c pass": lambda: run(sys.executable, "-c", "pass"),
            "import redis": lambda: run(sys.executable, "-c", "import redis"),
            "from claude_comm import Publisher": lambda: run(sys.executable, "-c", "from claude_comm import Publisher"),
            "claude-comm send": lambda: run(command, "send", "bench", "sink", "1"),
            "claude-comm --help": lambda: run(command, "--help"),
            f"claude-comm list ({MESSAGES:,} held)": lambda: run(command, "list"),
            f"claude-comm list --json ({MESSAGES:,} held)": lambda: run(command, "list", "--json"),
        }
        return [times("Start-up", rounds(ways, 15), note="Time of the processor, user and system.")]

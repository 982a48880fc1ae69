"""A worker as a program: the settings of its process in, an exit code out."""

from __future__ import annotations

import sys
from collections.abc import Callable

from claude_comm.errors import ClaudeCommError
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.terminal.output import prepare


def program(run: Callable[[Settings], int]) -> int:
    """What `run` returns, or the exit code of the error that ended it, which is printed on stderr."""
    try:
        prepare()
        return run(settings_of_process())
    except ClaudeCommError as error:
        print(f"claude-comm: {error}", file=sys.stderr)
        return error.exit_code

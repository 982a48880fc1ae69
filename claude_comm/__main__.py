"""The command `claude-comm`, also `python -m claude_comm`.

Law: every error ends here, as one message on stderr and the exit code of its kind; a traceback is a defect.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

import typer

from claude_comm.cli.app import group
from claude_comm.errors import ClaudeCommError
from claude_comm.terminal.output import prepare, say_error, silence

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    prepare()
    try:
        code = group().main(arguments, prog_name="claude-comm", standalone_mode=False)
    except ClaudeCommError as error:
        say_error(error)
        return error.exit_code
    except typer.TyperException as error:
        show_usage(error)
        return error.exit_code
    except OSError as error:
        # Help is written by typer itself.
        if error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            raise
        silence(sys.stdout)
        return 0 if error.errno == errno.EPIPE else 1
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return code or 0


def show_usage(error: typer.TyperException) -> None:
    """A usage error, below the usage line of its command where the error can show one."""
    show = getattr(error, "show", None)
    if show is None:
        say_error(error)
    else:
        show()


if __name__ == "__main__":
    sys.exit(main())

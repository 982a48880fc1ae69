"""Keys as they are pressed, for views that are live.

Law: the terminal is given back as it was, however the view ends: by its key, by an error, by SIGTERM or Ctrl-C. A
suspended view would leave its screen behind, so Ctrl-Z does nothing while keys are read.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

# The longest that one key is, an arrow with modifiers.
_KEY_BYTES = 16
_DISABLED = b"\x00"


class KeyReader:
    """The keyboard; without a terminal on stdin it has no keys, and waiting is sleeping."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def wait(self, seconds: float) -> str:
        """The key that is pressed within that time; empty for none. A key with a code of several bytes is that text."""
        if self._descriptor is None:
            time.sleep(seconds)
            return ""
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        if not readable:
            return ""
        typed = os.read(self._descriptor, _KEY_BYTES)
        if not typed:
            # The terminal is gone: it would be readable for ever.
            self._descriptor = None
        return typed.decode(errors="replace")


@contextmanager
def reading_keys() -> Iterator[KeyReader]:
    """Keys one by one, without echo."""
    stdin = sys.stdin
    if stdin is None or not stdin.isatty():
        yield KeyReader(None)
        return
    import termios
    import tty

    descriptor = stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        unsuspended = termios.tcgetattr(descriptor)
        unsuspended[6][termios.VSUSP] = _DISABLED
        termios.tcsetattr(descriptor, termios.TCSANOW, unsuspended)
        yield KeyReader(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

"""A terminal of a given size with a program in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.support.waiting import PATIENCE_S

_STEERING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]")


class Terminal:
    """The side that a person has: what is shown, and keys."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int, modes: list[object]) -> None:
        self.process, self._descriptor, self._modes = process, descriptor, modes
        self.written = ""

    @property
    def shown(self) -> str:
        """Everything that was ever written, without what steers the terminal."""
        return _STEERING.sub("", self.written)

    def wait_for(self, text: str) -> str:
        """Reads until this text has been shown."""
        ends_s = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < ends_s, f"{text!r} is not in {self.shown[-2000:]!r}"
            if not self._read(0.2) and self.process.poll() is not None:
                assert text in self.shown, self.shown[-2000:]
        return self.shown

    def press(self, key: str) -> None:
        os.write(self._descriptor, key.encode())

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Waits for the program's own end; its exit code."""
        ends_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < ends_s, "the program does not end"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.wait()

    def given_back(self) -> bool:
        """Whether the terminal is as it was, on its own screen."""
        same = termios.tcgetattr(self._descriptor) == self._modes
        return same and self.written.rfind("\x1b[?1049l") >= self.written.rfind("\x1b[?1049h")

    def _read(self, wait_s: float) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], wait_s)
        if not ready:
            return False
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            return False
        self.written += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(
    command: Sequence[str], environ: Mapping[str, str], *, columns: int = 80, lines: int = 24
) -> Iterator[Terminal]:
    """Runs a command in a terminal of its own; killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    modes = termios.tcgetattr(ours)
    plain = {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**plain, "TERM": "xterm"}, start_new_session=True
    )
    try:
        yield Terminal(process, ours, modes)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(theirs)
        os.close(ours)

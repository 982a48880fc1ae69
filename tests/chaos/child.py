"""A process that is killed, stopped and ended at random, and started again until it is let go.

Law: who ends unasked, with whatever code, or is asked and does not end well, has broken something.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Who starts again at once finds the same cause; a supervisor waits a moment.
RESTART_S = 0.1
# Twice the longest drain.
END_TIMEOUT_S = 60.0
# Smaller than any file that is written to.
_SMALL_BYTES = 1


class Child:
    """`python -m MODULE WORDS`, its words to a log file; `crashed` are ends that nobody asked for. Its first `deaths`
    lives are given `mortal` words as well."""

    def __init__(
        self,
        name: str,
        module: str,
        words: Sequence[object],
        environ: Mapping[str, str],
        log: Path,
        *,
        mortal: Sequence[str] = (),
        deaths: int = 0,
    ) -> None:
        self.name, self._log = name, log
        self._mortal, self._deaths = list(mortal), deaths
        self._argv = [sys.executable, "-P", "-m", module, *map(str, words)]
        # Its files are not let grow at times: a bytecode file that is cut off fails whoever imports it next.
        self._environ = {**environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = self._resume_at = self._room_at = 0.0
        # When it was asked to end, and for how long it then stays away.
        self._asked_at = self._away_s = 0.0
        self.starts = 0
        self.crashed: list[str] = []

    @property
    def up(self) -> bool:
        return self._process is not None and not self._resume_at and not self._asked_at

    @property
    def pid(self) -> int:
        """Of its process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def start_later(self, seconds: float) -> None:
        """To be started by the first `tick` after so long."""
        self._start_at = time.monotonic() + seconds

    @property
    def mortal(self) -> bool:
        """Whether it has still to die at its point."""
        return bool(self._mortal) and self.starts <= self._deaths

    def start(self) -> None:
        with self._log.open("ab") as log:
            mortal = self._mortal if self.starts < self._deaths else []
            self._process = subprocess.Popen(
                self._argv + mortal, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.starts += 1

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._forget()

    def ask_to_end(self, away_s: float) -> None:
        """SIGTERM; once it has ended it is started again after so long."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._asked_at, self._away_s = time.monotonic(), away_s

    def pause(self, seconds: float) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGSTOP)
            self._resume_at = time.monotonic() + seconds

    def fill_disk(self, seconds: float) -> None:
        """No file of this process may grow for a while, as on a full disk."""
        if self._process is not None and self._process.poll() is None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (_SMALL_BYTES, resource.RLIM_INFINITY))
            self._room_at = time.monotonic() + seconds

    def tick(self, now: float) -> None:
        """Resumes and restarts what is due, and notes who ended unasked."""
        if self._process is None:
            if now >= self._start_at:
                self.start()
        elif (code := self._process.poll()) is not None:
            self._ended(code)
        elif self._asked_at and now > self._asked_at + END_TIMEOUT_S:
            self.crashed.append(f"{self.name} did not end within {END_TIMEOUT_S:g} s of SIGTERM")
            self.kill()
        elif self._resume_at and now >= self._resume_at:
            self.resume()
        elif self._room_at and now >= self._room_at:
            self._make_room()

    def resume(self) -> None:
        """Lets it run, with room on its disk."""
        self._make_room()
        if self._process is not None and self._resume_at:
            os.kill(self._process.pid, signal.SIGCONT)
        self._resume_at = 0.0

    def _make_room(self) -> None:
        if self._process is not None and self._room_at and self._process.poll() is None:
            unbounded = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, unbounded)
        self._room_at = 0.0

    def end(self) -> None:
        """Asks it to end, and waits; what does not end, or not well, is noted."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        try:
            code = self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.crashed.append(f"{self.name} did not end within {END_TIMEOUT_S:g} s of SIGTERM")
            self._process.kill()
            code = self._process.wait()
        self._asked_at = time.monotonic()
        self._ended(code)
        self._process = None

    def _ended(self, code: int) -> None:
        # A crash point is the child's own SIGKILL; who is asked to end before it has taken its signals ends by that.
        away_s = self._away_s if self._asked_at else 0.0
        well = code == -signal.SIGKILL or (self._asked_at and code in (0, -signal.SIGTERM))
        if not well:
            words = self._log.read_text(errors="replace")[-1500:] if self._log.exists() else ""
            self.crashed.append(f"{self.name} ended by itself with {code}: {words}")
        self._forget()
        self._start_at += away_s

    def _forget(self) -> None:
        self._process, self._resume_at, self._room_at, self._asked_at, self._away_s = None, 0.0, 0.0, 0.0, 0.0
        self._start_at = time.monotonic() + RESTART_S

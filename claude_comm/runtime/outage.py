"""One time that a server is away or does not serve: logged when it begins and when it is over, and waited for.

Law: whatever runs until it is stopped (a module, a worker) waits for its server, from the first moment of its life on:
an absent server is no failure of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from claude_comm.errors import ClaudeCommError, ServerRefused, ServerUnreachable, TransportError
from claude_comm.telemetry.logs import EventLog

T = TypeVar("T")

# Waits between two attempts (seconds), doubling from the first to the last: short enough that work goes on within
# seconds of the server's return, long enough that a hundred processes are no load for one that is starting.
FIRST_WAIT_S, LAST_WAIT_S = 0.05, 2.0
# How long the same refusal is not said again, while other things are answered.
SAY_AGAIN_S = 60.0


class Outage:
    """What one process knows of it; any of its threads may notice it. `event` begins the names of its log lines.

    `report` is given the error each time that it is met, and "" each time that something is answered.
    """

    def __init__(self, log: EventLog, event: str = "server", report: Callable[[str], object] = lambda _: None) -> None:
        self._log, self._event, self._report = log, event, report
        self._since: float | None = None
        self._wait_s = FIRST_WAIT_S
        # What was refused last, and when that was said: between refusals other commands may be answered.
        self._refused, self._said_at = "", float("-inf")
        self._again = False

    def met(self, error: ClaudeCommError) -> float:
        """Takes note of it; how long to wait before the next attempt (seconds)."""
        if self._since is None:
            self._since = time.monotonic()
            self._again = self._is_known(error)
            if not self._again:
                self._log.warning(f"{self._event}.interrupted", error=str(error))
        self._report(str(error))
        wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, LAST_WAIT_S)
        return wait_s

    def over(self) -> None:
        """Something was answered."""
        if self._since is not None:
            if not self._again:
                self._log.info(f"{self._event}.resumed", after_s=round(time.monotonic() - self._since, 1))
            self._since, self._wait_s = None, FIRST_WAIT_S
        self._report("")

    def _is_known(self, error: ClaudeCommError) -> bool:
        """Whether it is the refusal that was said lately: a key of another type refuses one command in three."""
        if not isinstance(error, ServerRefused):
            return False
        now = time.monotonic()
        known = str(error) == self._refused and now - self._said_at < SAY_AGAIN_S
        if not known:
            self._refused, self._said_at = str(error), now
        return known


def until_reached(
    attempt: Callable[[], T],
    outage: Outage,
    stop: threading.Event,
    waits_for: type[TransportError] = ServerUnreachable,
) -> T | None:
    """What the first attempt returns that meets a server; None when `stop` was set before. Raises what is not one of
    the errors that are waited for."""
    while not stop.is_set():
        try:
            result = attempt()
        except waits_for as error:
            stop.wait(outage.met(error))
        else:
            outage.over()
            return result
    return None

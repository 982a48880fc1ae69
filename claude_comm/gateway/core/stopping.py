"""uvicorn's server, for programs that close more than its sockets.

Law: SIGTERM and SIGINT stop it, and that is all. uvicorn raises them once more when it has stopped, which ends the
process there and then: before what was opened around the server is closed, and with the signal as its exit status.
"""

from __future__ import annotations

import signal
from types import FrameType

import uvicorn


class StoppedBySignal(uvicorn.Server):
    """Returns from `serve` after a signal. A second SIGINT does not wait for the clients."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.force_exit or (self.should_exit and sig == signal.SIGINT)
        self.should_exit = True

"""What a service tells systemd, or another supervisor that speaks its protocol: READY, STATUS, WATCHDOG and STOPPING.

Law: nothing that happens here is a failure of the service: without a supervisor nothing is sent, and what cannot be
sent is dropped. The protocol is one datagram of `NAME=VALUE` lines to the socket in `NOTIFY_SOCKET` (sd_notify(3)).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from contextlib import suppress

# The supervisor acts after its interval: a third of it leaves room for two messages that come late.
_FRACTION = 1 / 3
_MOST_STATUS = 200


class ServiceManager:
    """The supervisor of this process, as its environment names it."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        meant = environ.get("WATCHDOG_PID", "") in ("", str(pid))
        usec = environ.get("WATCHDOG_USEC", "")
        self._every_s = int(usec) / 1e6 * _FRACTION if meant and usec.isdigit() else 0.0
        self._alive_at = 0.0
        self._status: str | None = None

    def state(self, trouble: str) -> None:
        """It has come round once more and does its work, or waits because of `trouble`.

        A service that waits for its server is ready all the same: others may start, and it needs no restart.
        """
        if trouble != self._status:
            first, self._status = self._status is None, trouble
            status = f"waits: {' '.join(trouble.split())[:_MOST_STATUS]}" if trouble else "works"
            self._send(*(["READY=1"] if first else []), f"STATUS={status}")
        now = time.monotonic()
        if self._every_s and now >= self._alive_at:
            self._alive_at = now + self._every_s
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.sendto("\n".join(lines).encode(), self._address)

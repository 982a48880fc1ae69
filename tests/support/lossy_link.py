"""A link that loses replies: the server has done what it was asked, and its answer never arrives.

Law: nothing is left to chance. A request that has the given word in it reaches the server; the connection is dropped
when the answer has come, so that whatever the request does is done. A socket is closed when no thread is in a call on
it: the next one that is opened gets its number, and the call could go on there.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import msgspec

from claude_comm.effects import Command, Script
from claude_comm.settings import Settings
from claude_comm.transport import scripts
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S

_CHUNK = 1 << 20


class LossyLink:
    """Listens on `here` and forwards to `there`; both are Unix sockets."""

    def __init__(self, here: Path, there: Path) -> None:
        self._there = there
        self._lost, self._times = b"", 0
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(here))
        self._listener.listen(64)
        self._accepting = threading.Thread(target=self._accept, name="lossy link", daemon=True)
        self._accepting.start()

    def lose(self, word: bytes, times: int) -> None:
        """From now on, the replies to so many requests that have this word."""
        with self._lock:
            self._lost, self._times = word, times

    @property
    def left(self) -> int:
        """How many replies are still to be lost."""
        return self._times

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(PATIENCE_S)
        self._listener.close()
        _cut(*tuple(self._sockets))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._there))
                self._sockets |= {near, far}
                threading.Thread(target=self._requests, args=(near, far), daemon=True).start()

    def _requests(self, near: socket.socket, far: socket.socket) -> None:
        # Set when the next answer is to be lost.
        doomed = threading.Event()
        replies = threading.Thread(target=self._replies, args=(far, near, doomed), daemon=True)
        replies.start()
        with suppress(OSError):
            while data := near.recv(_CHUNK):
                if self._takes(data):
                    doomed.set()
                far.sendall(data)
        _cut(near, far)
        replies.join()
        self._sockets -= {near, far}
        near.close()
        far.close()

    def _replies(self, far: socket.socket, near: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := far.recv(_CHUNK):
                if doomed.is_set():
                    break
                near.sendall(data)
        _cut(near, far)

    def _takes(self, data: bytes) -> bool:
        with self._lock:
            takes = self._times > 0 and self._lost in data
            self._times -= takes
            return takes


@contextmanager
def lossy(settings: Settings, folder: Path) -> Iterator[tuple[LossyLink, Settings]]:
    """A link to the server of these settings, and settings that go through it."""
    here = folder / "lossy.sock"
    with LossyLink(here, Path(settings.url.removeprefix("unix://"))) as link:
        yield link, msgspec.structs.replace(settings, url=f"unix://{here}")


def word_of_script(client: Client, name: str) -> bytes:
    """The word by which a request for this script is known; the server has it from now on."""
    return bytes(client.data.one(Command(("SCRIPT", "LOAD", scripts.by_text(Script(name, ("any",))).args[1]))))


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

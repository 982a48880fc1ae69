"""A prepared child: a forked process that answers texts, one after another, and can be killed when it hangs.

Law: the child is forked once, before the first text, and again only after it had to be killed or died: a fork for each
text costs twenty times what most answers take. It ends by itself when its parent has gone. Nothing but bytes passes
between the two: a length, a word of one byte, and text.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable

from claude_comm.errors import ClaudeCommError
from claude_comm.runtime.signals import postponed_signals

_HEAD = struct.Struct(">IB")
_DONE, _FAILED = 0, 1
# How long a child may take to end once it is told to.
_END_S = 1.0


class ChildFailed(ClaudeCommError):
    """The child gave no answer: it raised, died, or took too long and was killed."""


class PreparedChild:
    """Answers by `work`, which runs in the child alone: what it opens there is its own."""

    def __init__(self, work: Callable[[str], str]) -> None:
        self._work = work
        self._socket: socket.socket | None = None
        self.pid = 0

    def prepare(self) -> None:
        """Forks the child, where none lives."""
        if self._socket is not None:
            return
        ours, theirs = socket.socketpair()
        with postponed_signals():
            pid = os.fork()
            if pid == 0:
                ours.close()
                _live(theirs, self._work)
        theirs.close()
        self._socket, self.pid = ours, pid

    def begin(self, text: str) -> None:
        """Hands a text to the child, which begins with it. Raises ChildFailed."""
        self.prepare()
        assert self._socket is not None
        data = text.encode()
        try:
            self._socket.sendall(_HEAD.pack(len(data), _DONE) + data)
        except OSError as error:
            self.kill()
            raise ChildFailed(f"the child does not listen: {error.strerror}.") from None

    def end(self, timeout_s: float) -> str:
        """The answer to the text that was begun with. Raises ChildFailed; a child that takes longer is killed."""
        deadline = time.monotonic() + timeout_s
        length, word = _HEAD.unpack(self._received(_HEAD.size, deadline))
        text = self._received(length, deadline).decode(errors="replace")
        if word != _DONE:
            raise ChildFailed(text)
        return text

    def kill(self) -> None:
        """Ends the child at once, whatever it does."""
        if self._socket is None:
            return
        self._socket.close()
        self._socket = None
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = 0

    def stop(self) -> None:
        """Ends the child, which is idle; one that is not is killed."""
        if self._socket is None:
            return
        self._socket.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + _END_S
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                self._socket.close()
                self._socket, self.pid = None, 0
                return
            time.sleep(0.005)
        self.kill()

    def _received(self, size: int, deadline: float) -> bytes:
        data = b""
        while len(data) < size:
            assert self._socket is not None
            readable, _, _ = select.select([self._socket], [], [], max(deadline - time.monotonic(), 0))
            if not readable:
                self.kill()
                raise ChildFailed("it took too long, and its process was killed.")
            try:
                part = self._socket.recv(min(size - len(data), 1 << 20))
            except ConnectionError:
                part = b""
            if not part:
                self.kill()
                raise ChildFailed("its process died.")
            data += part
        return data


def _live(theirs: socket.socket, work: Callable[[str], str]) -> None:
    """The life of the child. It never returns."""
    code = 1
    try:
        # The parent finishes what is at hand when it is told to end, and tells the child.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while (head := _exactly(theirs, _HEAD.size)) is not None:
            data = _exactly(theirs, _HEAD.unpack(head)[0])
            if data is None:
                break
            try:
                word, answer = _DONE, work(data.decode())
            except ClaudeCommError as error:
                word, answer = _FAILED, f"{type(error).__name__}: {error}"
            body = answer.encode(errors="replace")
            theirs.sendall(_HEAD.pack(len(body), word) + body)
        code = 0
    finally:
        os._exit(code)


def _exactly(theirs: socket.socket, size: int) -> bytes | None:
    """So many bytes; None where the parent has gone."""
    data = b""
    while len(data) < size:
        try:
            part = theirs.recv(size - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return data

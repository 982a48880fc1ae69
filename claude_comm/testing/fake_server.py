"""What stands for a server within this process: fakeredis, reached over a socket like any server.

Law: nothing of ours knows that it is a fake: the same client, operations and scripts run, so that what they refuse is
refused here as well. A reply has the shape that a server gives it (RESP3), where fakeredis has another.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import hiredis
from redis.connection import DefaultParser
from redis.exceptions import ConnectionError as Unconnected
from redis.exceptions import RedisError, ResponseError

from claude_comm.errors import ConfigurationError

_READ_BYTES = 1 << 16
# The server that it says to be: the oldest that the project works with has these commands as well.
_TYPE, _VERSION = "valkey", (8, 0)


class FakeServer:
    """Listens on a Unix socket in a folder of its own; each connection is served by a thread. A context manager."""

    def __init__(self) -> None:
        fakeredis = _fakeredis()
        self._state = fakeredis.FakeServer(server_type=_TYPE, version=_VERSION)
        self._connection: Any = fakeredis.FakeRedisConnection
        self._folder = Path(tempfile.mkdtemp(prefix="cc-fake-"))
        path = self._folder / "fake.sock"
        self.url = f"unix://{path}"
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, name="fake server", daemon=True).start()

    def close(self) -> None:
        """Ends every connection, and forgets everything."""
        for end in [self._listener, *self._open]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                end, _ = self._listener.accept()
                self._open.add(end)
                threading.Thread(target=self._serve, args=(end,), name="fake connection", daemon=True).start()

    def _serve(self, end: socket.socket) -> None:
        backend = self._connection(server=self._state, protocol=3)
        requests = hiredis.Reader()
        with suppress(OSError, Unconnected):
            while data := end.recv(_READ_BYTES):
                requests.feed(data)
                while (command := requests.gets()) is not False:
                    end.sendall(encode(_reply(backend, command)))
        self._open.discard(end)
        end.close()
        backend.disconnect()


def _fakeredis() -> Any:
    try:
        import fakeredis
        import lupa  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            f"`fake_comm` needs {error.name}: `pip install 'claude-comm[testing]'`, or use `comm`, a real server."
        ) from None
    return fakeredis


def _reply(backend: Any, command: Sequence[Any]) -> Any:
    """What a server says to a command: a value, or an error as one."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    name = words[0].upper()
    if name == b"HELLO":
        return _HELLO
    if name in (b"EVAL", b"EVALSHA"):
        words[1] = _without_flags(name, words[1])
    backend.send_command(*words)
    try:
        reply = backend.read_response(disable_decoding=True)
    except RedisError as error:
        return error
    return _shaped(name, words[1].upper() if len(words) > 1 else b"", reply)


def _without_flags(name: bytes, script: bytes) -> bytes:
    """A script without the line that tells a server about it, which fakeredis cannot read; or the digest of that."""
    if name == b"EVALSHA":
        return _plain_digests.get(script.lower(), script)
    if not script.startswith(b"#!"):
        return script
    plain = script[script.index(b"\n") :]
    _plain_digests[_digest(script)] = _digest(plain)
    return plain


def _digest(script: bytes) -> bytes:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()


# From the digest of a script to that of the same without its first line.
_plain_digests: dict[bytes, bytes] = {}
_HELLO = {b"server": b"valkey", b"version": b"8.0.0", b"proto": 3, b"mode": b"standalone", b"role": b"master"}


def _shaped(name: bytes, second: bytes, reply: Any) -> Any:
    """The reply in the shape that it has in RESP3."""
    if name == b"XINFO":
        return _mapping(reply) if second == b"STREAM" else [_mapping(row) for row in reply]
    return reply


def _mapping(flat: Any) -> Any:
    """Pairs as a map; what is one, or an error, as it is."""
    return dict(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list | tuple) else flat


def encode(reply: Any) -> bytes:
    """A reply as a server writes it (RESP3)."""
    match reply:
        case None:
            return b"_\r\n"
        case bool():
            return b"#t\r\n" if reply else b"#f\r\n"
        case int():
            return b":%d\r\n" % reply
        case float():
            return b",%s\r\n" % repr(reply).encode()
        case Exception():
            return b"-%s\r\n" % _error(reply).encode()
        case bytes() | str():
            text = reply.encode() if isinstance(reply, str) else reply
            return b"$%d\r\n%b\r\n" % (len(text), text)
        case Mapping():
            parts = [encode(part) for pair in reply.items() for part in pair]
            return b"%%%d\r\n%b" % (len(reply), b"".join(parts))
        case list() | tuple() | set() | frozenset():
            return b"*%d\r\n%b" % (len(reply), b"".join(map(encode, reply)))
    raise TypeError(f"a server has no reply such as {reply!r}")


def _error(error: Exception) -> str:
    """The text of an error with the code that redis-py's reader took away."""
    text = " ".join(str(error).split())
    code = _CODES.get(type(error), "")
    if code:
        return f"{code} {text}"
    first = text.partition(" ")[0]
    return text if first.isupper() and len(first) > 2 else f"ERR {text}"


_CODES: dict[type, str] = {
    kind: code
    for code, kind in DefaultParser.EXCEPTION_CLASSES.items()
    if isinstance(kind, type) and kind is not ResponseError
}

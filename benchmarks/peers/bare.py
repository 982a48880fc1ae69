"""redis-py without a framework, and below it a bare socket: what the server and the client library allow.

The message is what a program without a framework would send: an id made before the send, source, target, payload.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import hiredis
import redis

from benchmarks.actors import Act
from benchmarks.messages import SIZE_BYTES, Handler, decode, encode, paced, payloads
from benchmarks.place import Place
from claude_comm.client.identity import micros
from claude_comm.ids import uuid7

PIPELINE = 500
_CONSUMED = "bare-in"


@contextmanager
def fill(place: Place, stream: str, size: str = str(SIZE_BYTES)) -> Iterator[Act]:
    client = _client(place)
    yield lambda count: _pipelines(client, stream, payloads(count, int(size)))


@contextmanager
def send_paced(place: Place) -> Iterator[Act]:
    client = _client(place)
    yield lambda count: paced(count, lambda data: client.execute_command("XADD", _CONSUMED, "*", "e", body(data)))


@contextmanager
def consume(place: Place) -> Iterator[Act]:
    client = _client(place)
    _group(client, _CONSUMED)

    def act(count: int) -> list[int]:
        handler = Handler()
        while handler.count < count:
            found = client.xreadgroup("g", "c", {_CONSUMED: ">"}, count=PIPELINE, block=1000)
            for _stream, entries in found or ():
                for _id, fields in entries:
                    handler(decode(fields[b"e"])["data"])
                client.xack(_CONSUMED, "g", *[id_ for id_, _ in entries])
        return handler.latencies_ns

    yield act


@contextmanager
def publish_raw(place: Place) -> Iterator[Act]:
    with _Line(place) as line:

        def act(count: int) -> None:
            datas = payloads(count)
            for start in range(0, count, PIPELINE):
                part = datas[start : start + PIPELINE]
                line.exchange([("XADD", "raw", "*", "e", body(data)) for data in part])

        yield act


@contextmanager
def publish_canned(place: Place) -> Iterator[Act]:
    """The ceiling: the bytes of all commands were made before, and replies are only counted."""
    with _Line(place) as line:
        canned: dict[int, list[bytes]] = {}

        def act(count: int) -> None:
            if count not in canned:
                canned[count] = _canned(count)
            for part in canned[count]:
                line.send(part, PIPELINE)

        yield act


def _canned(count: int) -> list[bytes]:
    """Whole pipelines."""
    packed = [hiredis.pack_command(("XADD", "canned", "*", "e", body(data))) for data in payloads(count)]
    return [b"".join(packed[start : start + PIPELINE]) for start in range(0, count, PIPELINE)]


@contextmanager
def consume_raw(place: Place) -> Iterator[Act]:
    _group(_client(place), "raw-in")
    read = ("XREADGROUP", "GROUP", "g", "c", "COUNT", PIPELINE, "BLOCK", 1000, "STREAMS", "raw-in", ">")
    with _Line(place) as line:

        def act(count: int) -> list[int]:
            handler = Handler()
            done: list[bytes] = []
            while handler.count < count:
                commands: list[Any] = [("XACK", "raw-in", "g", *done)] if done else []
                found = line.exchange([*commands, read])[-1]
                entries = found[0][1] if found else []
                for _id, fields in entries:
                    handler(decode(fields[1])["data"])
                done = [id_ for id_, _ in entries]
            line.exchange([("XACK", "raw-in", "g", *done)])
            return handler.latencies_ns

        yield act


def body(data: dict[str, Any]) -> bytes:
    """A message as a program without a framework would write it."""
    return encode({"id": uuid7(micros(), os.urandom(8)), "source": "a", "target": "b", "data": data})


def _pipelines(client: Any, stream: str, datas: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(datas), PIPELINE):
        pipeline = client.pipeline(transaction=False)
        for data in datas[start : start + PIPELINE]:
            pipeline.execute_command("XADD", stream, "*", "e", body(data))
        pipeline.execute()


def _client(place: Place) -> Any:
    return redis.Redis(unix_socket_path=place.socket, protocol=2)


def _group(client: Any, stream: str) -> None:
    client.xgroup_create(stream, "g", id="0", mkstream=True)


class _Line:
    """A socket, hiredis to pack and to parse, one batch in flight."""

    def __init__(self, place: Place) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(place.socket)
        self._reader = hiredis.Reader()

    def send(self, commands: bytes, count: int) -> None:
        """As many replies as there are commands, each of them one bulk string: an entry's id."""
        self._socket.sendall(commands)
        lines = 0
        while lines < 2 * count:
            lines += self._socket.recv(1 << 18).count(b"\r\n")

    def exchange(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        self._socket.sendall(b"".join([hiredis.pack_command(command) for command in commands]))
        replies: list[Any] = []
        while len(replies) < len(commands):
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self._socket.recv(1 << 18))
            else:
                replies.append(reply)
        return replies

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

"""Opening a connection: what redis-py would do is the measure of what we do for plain addresses."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import redis.asyncio
from redis.crc import key_slot

from claude_comm.effects import Command
from claude_comm.errors import ConfigurationError, ServerTooOld, TransportError
from claude_comm.transport.async_connection import AsyncConnection
from claude_comm.transport.opening import opener, plain_endpoint
from claude_comm.transport.pool import ConnectionPool
from claude_comm.transport.redis_py import redis_opener
from claude_comm.transport.replies import ErrorReply
from claude_comm.transport.slots import slot_of_key
from tests.support.waiting import PATIENCE_S

HELLO = b"%1\r\n$5\r\nproto\r\n:3\r\n"


class Recorder:
    """A server that answers each command of a greeting with the next of these, and keeps what it was sent."""

    def __init__(self, answers: list[bytes], where: str | None = None) -> None:
        self.answers, self.heard = answers, b""
        self._server = socket.socket(socket.AF_UNIX if where else socket.AF_INET)
        self._server.bind(where or ("127.0.0.1", 0))
        self._server.listen()
        self.port = 0 if where else self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        peer, _ = self._server.accept()
        with peer:
            for answer in self.answers:
                self.heard += peer.recv(4096)
                peer.sendall(answer)
            peer.settimeout(PATIENCE_S)
            while data := peer.recv(4096):
                self.heard += data

    def close(self) -> None:
        self._thread.join()
        self._server.close()


@contextmanager
def greeted(way: str, url: str, answers: list[bytes], where: str | None = None) -> Iterator[Recorder]:
    server = Recorder(answers, where)
    try:
        open_socket = {"ours": opener, "redis-py": redis_opener}[way](url.replace("PORT", str(server.port)))
        open_socket(PATIENCE_S, PATIENCE_S).close()
        yield server
    finally:
        server.close()


@pytest.mark.parametrize(
    ("address", "commands"),
    [
        ("redis://127.0.0.1:PORT", 1),
        ("redis://127.0.0.1:PORT/0", 1),
        ("redis://127.0.0.1:PORT/7", 2),
        ("redis://:p%40ss%2F@127.0.0.1:PORT/2", 2),
        ("redis://anna:secret@127.0.0.1:PORT", 1),
        ("redis://anna@127.0.0.1:PORT", 1),
        ("unix://{path}", 1),
        ("unix://anna:secret@{path}", 1),
    ],
)
def test_a_plain_address_is_greeted_as_redis_py_greets_it(address: str, commands: int, tmp_path: Path) -> None:
    heard = []
    for way in ("ours", "redis-py"):
        path = str(tmp_path / f"a {way[:3]}")
        url = address.format(path=quote(path))
        assert plain_endpoint(url.replace("PORT", "1")) is not None
        answers = [HELLO, b"+OK\r\n"][:commands]
        with greeted(way, url, answers, path if "unix" in url else None) as server:
            pass
        heard.append(server.heard)
    assert heard[0] == heard[1] != b""


@pytest.mark.parametrize("url", ["rediss://h", "redis://h?db=3", "redis://h?ssl_cert_reqs=none", "unix://?db=1"])
def test_what_says_more_is_left_to_redis_py(url: str) -> None:
    assert plain_endpoint(url) is None


@pytest.mark.parametrize("url", ["redis://h?nonesuch=1", "redis://h?socket_timeout=soon"])
def test_an_option_that_nobody_reads_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigurationError, match="address"):
        ConnectionPool(url)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"], "WRONGPASS"),
        ([b"-NOAUTH HELLO must be called with the client already authenticated\r\n"], "NOAUTH"),
        ([b"-ERR max number of clients reached\r\n"], "max number of clients"),
        ([b""], "closed"),
    ],
)
def test_what_a_server_says_at_the_door_means_the_same_however_it_is_opened(answers: list[bytes], said: str) -> None:
    met = []
    for option in ("", "?db=0"):
        server = Recorder(answers) if answers != [b""] else Recorder([])
        if not answers[0]:
            _hang_up(server)
        pool = ConnectionPool(f"redis://127.0.0.1:{server.port}{option}")
        with pytest.raises(TransportError) as caught:
            pool.one(Command(("PING",)))
        met.append((type(caught.value), getattr(caught.value, "code", "")))
        server.close()
    assert met[0] == met[1]


def _hang_up(server: Recorder) -> None:
    """Nobody listens there any more."""
    with socket.create_connection(("127.0.0.1", server.port)):
        pass
    server.close()


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_the_step() -> None:
    server = Recorder([])
    with pytest.raises(Exception, match="Timeout"):
        opener(f"redis://127.0.0.1:{server.port}")(1.0, 0.05)
    server.close()


@pytest.mark.parametrize("key", ["", "a", "{}", "{a}b", "x{a}b}c", "{", "a{b", "{{a}}", "{}{a}", "ns:{m:ä}:inbox"])
def test_a_key_has_the_slot_that_redis_py_gives_it(key: str) -> None:
    assert slot_of_key(key) == key_slot(key.encode())


OLD = b"%2\r\n$7\r\nversion\r\n$6\r\n6.2.14\r\n$5\r\nproto\r\n:3\r\n"
NEW = OLD.replace(b"$6\r\n6.2.14", b"$5\r\n7.0.0")


@pytest.mark.parametrize(
    ("answer", "version"), [(OLD, "6.2.14"), (b"-ERR unknown command `HELLO`, with args\r\n", "5 or earlier")]
)
def test_a_server_that_is_too_old_is_refused_with_what_to_use(answer: bytes, version: str) -> None:
    server = Recorder([answer])
    pool = ConnectionPool(f"redis://127.0.0.1:{server.port}")
    try:
        with pytest.raises(ServerTooOld, match=rf"version {version}, which is too old: use Valkey 8.*Redis 7\.0"):
            pool.one(Command(("PING",)))
    finally:
        server.close()
        pool.close()


def test_redis_py_refuses_it_too_and_the_oldest_is_taken() -> None:
    with pytest.raises(ErrorReply, match=r"6\.2\.14"), greeted("redis-py", "redis://127.0.0.1:PORT", [OLD]):
        pass
    with greeted("ours", "redis://127.0.0.1:PORT", [NEW]), greeted("redis-py", "redis://127.0.0.1:PORT", [NEW]):
        pass


def test_asyncio_refuses_a_server_that_is_too_old() -> None:
    """redis-py has the greeting, and asks for it a second time on our behalf."""
    server = Recorder([OLD, OLD])

    async def opened() -> None:
        await AsyncConnection(redis.asyncio.Connection(port=server.port, protocol=3, driver_info=None)).open()

    try:
        with pytest.raises(ErrorReply, match=r"6\.2\.14"):
            asyncio.run(opened())
    finally:
        server.close()

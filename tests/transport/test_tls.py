"""`rediss://` with client certificates, end to end, on a server with TLS that the test starts."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_comm import AsyncPublisher, Consumer, Module, Publisher, Settings
from claude_comm.effects import Command
from claude_comm.errors import ServerUnreachable, TransportError
from claude_comm.transport.connect import connect
from tests.support.modules import running
from tests.support.waiting import wait_until

SERVER = shutil.which("redis-server")
OPENSSL = shutil.which("openssl")


def certificates(folder: Path) -> None:
    """An authority, and what it signs: the server's certificate for 127.0.0.1, and a client's."""

    def openssl(*words: str) -> None:
        assert OPENSSL
        subprocess.run([OPENSSL, *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.crt")


def speaks_tls() -> bool:
    if SERVER is None or OPENSSL is None:
        return False
    tried = subprocess.run([SERVER, "--port", "0", "--tls-port", "x"], capture_output=True, text=True, check=False)
    return "Bad directive" not in tried.stdout + tried.stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of the server, and the folder with the certificates."""
    if not speaks_tls():
        pytest.skip("needs a redis-server with TLS, and openssl")
    folder = tmp_path_factory.mktemp("tls")
    certificates(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert SERVER
    words = ["--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", "", "--tls-auth-clients", "yes"]
    words += ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([SERVER, *words], cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: "Ready to accept connections" in (folder / "log").read_text())
        yield port, folder
    finally:
        server.terminate()
        server.wait()


def url(port: int, folder: Path, *, certificate: bool = True, host: str = "127.0.0.1") -> str:
    own = f"&ssl_certfile={folder}/client.crt&ssl_keyfile={folder}/client.key" if certificate else ""
    return f"rediss://{host}:{port}/0?ssl_ca_certs={folder}/ca.crt{own}"


def test_messages_travel_under_tls_with_a_client_certificate(authority: tuple[int, Path], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, url=url(*authority))

    async def send() -> None:
        async with AsyncPublisher("a", settings=settings) as publisher:
            await publisher.publish("b", "by a task")

    with Publisher("a", settings=settings) as publisher:
        publisher.publish_many("b", ["one", "two"])
    asyncio.run(send())
    with Consumer("b", settings=settings) as consumer:
        payloads: list[object] = []
        while deliveries := consumer.read():
            payloads += [delivery.payload() for delivery in deliveries]
            for delivery in deliveries:
                consumer.ack(delivery)
    assert payloads == ["one", "two", "by a task"]


def test_an_asyncio_module_reads_ahead_under_tls(authority: tuple[int, Path], tmp_path: Path) -> None:
    """Nobody knows what has come there before somebody waits for it: its reader thread does that."""
    settings = Settings(home=tmp_path, url=url(*authority))
    module, handled = Module("tls", settings=settings), list[int]()

    @module.handles()
    async def handle(number: int) -> None:
        handled.append(number)

    with Publisher("a", settings=settings) as publisher:
        publisher.publish_many("tls", range(1_000))
    with running(module):
        wait_until(lambda: len(handled) == 1_000)
    assert handled == list(range(1_000))


def test_without_a_client_certificate_nobody_gets_in(authority: tuple[int, Path], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, url=url(*authority, certificate=False))
    with pytest.raises(TransportError), Publisher("a", settings=settings) as publisher:
        publisher.publish("b", 1)


def test_a_server_of_another_authority_is_not_talked_to(authority: tuple[int, Path], tmp_path: Path) -> None:
    port, folder = authority
    (tmp_path / "other").mkdir()
    certificates(tmp_path / "other")
    address = url(port, folder).replace(f"{folder}/ca.crt", f"{tmp_path}/other/ca.crt")
    with connect(Settings(home=tmp_path, url=address)) as client, pytest.raises(ServerUnreachable):
        client.data.one(Command(("PING",)))

"""Clients of a WebSocket that do not read, do not finish, or bring more than they say: the others are served."""

from __future__ import annotations

import contextlib
import json
import socket
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from benchmarks.gateway_clients import MARK, Reader, masked
from claude_comm import Publisher
from claude_comm.gateway.core.options import GatewaySettings, Limits
from claude_comm.gateway.live import wire
from claude_comm.gateway.live.hub import Hub
from claude_comm.settings import Settings
from tests.support.gateways import Served, serving_gateway
from tests.support.waiting import PATIENCE_S, wait_until

LIMITS = Limits(hello_s=PATIENCE_S, ping_s=PATIENCE_S, drain_s=0.5, queue_messages=400, frame_bytes=64 * 1024)
HANDSHAKE = """GET /v1/socket?topic=news HTTP/1.1
Host: {host}
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Protocol: {protocol}
{more}
"""


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0, anonymous=True, limits=LIMITS)) as gateway:
        yield gateway


@pytest.fixture
def pinging(settings: Settings) -> Iterator[Served]:
    limits = msgspec.structs.replace(LIMITS, ping_s=2)
    with serving_gateway(settings, GatewaySettings(port=0, anonymous=True, limits=limits)) as gateway:
        yield gateway


def opened(served: Served, end: bytes, protocol: str = "cloudevents.json", more: str = "") -> tuple[socket.socket, str]:
    """A socket after the handshake, and what was said up to `end`."""
    parts = urlsplit(served.address)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(PATIENCE_S)
    client.connect((parts.hostname, parts.port))
    client.sendall(HANDSHAKE.format(host=parts.netloc, protocol=protocol, more=more).replace("\n", "\r\n").encode())
    said = b""
    while end not in said:
        said += client.recv(1)
    return client, said.decode("latin-1")


def rest(client: socket.socket) -> bytes:
    """What comes until the connection ends."""
    said = b""
    with client, contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            said += piece
    return said


def publish(settings: Settings, count: int) -> None:
    with Publisher("paper", settings=settings) as publisher:
        for _ in range(0, count, 100):
            publisher.publish_many("topic:news", [MARK + "x" * 5_000] * 100)


def test_a_client_that_never_reads_is_cut_off_and_forgotten_while_others_get_all(
    settings: Settings, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "END_S", 0.1)
    stalled, _ = opened(served, b'"subscribed"')
    reading, _ = opened(served, b'"subscribed"')
    reader = Reader()
    sent = 0
    # The kernel's buffers come first: what they hold is not this process's.
    while sent < 2_000:
        publish(settings, 100)
        sent += 100
        while reader.messages < sent:
            piece = reading.recv(65_536)
            assert piece, "the client that reads was cut off"
            reader.feed(piece)
            for ping in reader.pings:
                reading.sendall(b"\x8a" + bytes((0x80 | len(ping),)) + bytes(4) + ping)
            reader.pings.clear()
    assert reader.messages == sent
    reading.close()
    # It is gone although its client has never read, nor answered a ping.
    wait_until(lambda: len(outboxes(served)) == 0, what="the end of the stalled client")
    assert rest(stalled).count(MARK.encode()) < sent


def outboxes(served: Served) -> set[Any]:
    """The outboxes that the gateway still keeps."""
    tellers = {tell.__self__ for tell in served.gateway.on_drain}  # type: ignore[attr-defined]
    (hub,) = (teller for teller in tellers if isinstance(teller, Hub))
    return set(hub.outboxes)


def test_a_client_that_stops_in_the_middle_of_a_frame_is_not_waited_for(pinging: Served) -> None:
    client, _ = opened(pinging, b"\r\n\r\n", "claude-comm.v1")
    client.sendall(masked(json.dumps({"kind": "hello", "token": "x" * 60}))[:20])
    with pinging.http() as http:
        assert http.get("/healthz").status_code == 200
    assert b"keepalive ping timeout" in rest(client)


def test_a_bomb_in_deflate_is_refused_as_what_was_not_agreed(served: Served) -> None:
    client, head = opened(served, b"\r\n\r\n", "claude-comm.v1", "Sec-WebSocket-Extensions: permessage-deflate\n")
    assert "permessage-deflate" not in head.lower()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"\0" * 50_000_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < LIMITS.frame_bytes
    # RSV1 says that a frame is compressed: 1002, a protocol error, before anything is unpacked.
    client.sendall(b"\xc1\xfe" + len(bomb).to_bytes(2, "big") + bytes(4) + bomb)
    assert (1002).to_bytes(2, "big") in rest(client)
    with served.http() as http:
        assert http.get("/healthz").status_code == 200

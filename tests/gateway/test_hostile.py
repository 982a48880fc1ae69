"""What hostile, broken and slow clients do to the gateway: each by a socket of its own."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest

from claude_comm.envelope import BLOB
from claude_comm.gateway.core.options import GatewaySettings, Limits
from claude_comm.settings import Settings
from tests.support.gateways import Served, serving_gateway, token_of
from tests.support.waiting import PATIENCE_S

LIMITS = Limits(body_bytes=64 * 1024, rate=2.0, drain_s=0.5)
# Long enough for whoever says what it has to say at once, also on a busy machine.
IMPATIENT = msgspec.structs.replace(LIMITS, header_s=1.5, body_s=1.5, hello_s=1.5)


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0, limits=LIMITS)) as gateway:
        yield gateway


@pytest.fixture
def impatient(settings: Settings) -> Iterator[Served]:
    with serving_gateway(settings, GatewaySettings(port=0, limits=IMPATIENT)) as gateway:
        yield gateway


def raw(served: Served) -> socket.socket:
    parts = urlsplit(served.address)
    return socket.create_connection((parts.hostname, parts.port), PATIENCE_S)


def answer(served: Served, *parts: str) -> str:
    """All that the gateway says to these bytes, until it closes."""
    with raw(served) as connection:
        for part in parts:
            connection.sendall(part.encode())
        said = b""
        while chunk := connection.recv(65_536):
            said += chunk
        return said.decode("latin-1")


def head(served: Served, *lines: str) -> str:
    return "\r\n".join([*lines, f"Host: {urlsplit(served.address).netloc}", "", ""])


def test_headers_that_do_not_end_are_not_waited_for(impatient: Served) -> None:
    assert answer(impatient, "GET /healthz HTTP/1.1\r\nX-Slow: ") == ""


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.long)])
def test_handshakes_that_stay_half_open_are_closed_and_others_served(impatient: Served, count: int) -> None:
    halves = [raw(impatient) for _ in range(count)]
    with impatient.http() as http:
        assert http.get("/healthz").status_code == 200
    for half in halves:
        assert half.recv(1) == b""
        half.close()


def test_a_body_that_does_not_come_is_not_waited_for(settings: Settings, impatient: Served) -> None:
    token = f"Authorization: Bearer {token_of(settings, 'web')}"
    said = answer(impatient, head(impatient, "POST /v1/messages HTTP/1.1", token, "Content-Length: 100"), '{"target"')
    assert said.startswith("HTTP/1.1 408")


def test_a_body_over_the_limit_is_refused_announced_or_not(settings: Settings, served: Served) -> None:
    token = token_of(settings, "web")
    with served.http(token) as http:
        large = b'{"target": "sink", "data": "' + b"x" * 70_000 + b'"}'
        assert http.post("/v1/messages", content=large).status_code == 413
        chunked = http.post("/v1/messages", content=iter([large[:40_000], large[40_000:]]))
        assert chunked.status_code == 413
        assert http.post("/v1/messages", content=b"[" * 60_000).json()["code"] == "unusable"


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
        ("Content-Length: +5",),
        ("Content-Length : 5",),
        ("X-A: b\x00c",),
        (" folded: x",),
        ("Host: evil.example",),
    ],
)
def test_shapes_that_two_servers_read_differently_are_refused(served: Served, lines: tuple[str, ...]) -> None:
    with raw(served) as connection:
        connection.sendall(head(served, "POST /v1/messages HTTP/1.1", *lines).encode() + b"0\r\n\r\nGET /healthz ")
        said = connection.recv(65_536).decode("latin-1")
    status = int(said.split()[1]) if said else 400
    assert status in (400, 401, 421, 501)
    assert '"alive"' not in said


def test_what_a_client_says_does_not_come_back_in_headers(served: Served) -> None:
    with served.http() as http:
        said = http.get("/login", params={"code": "x\r\nset-cookie: a=b"})
        assert said.status_code == 403
        assert "set-cookie" not in said.headers
        assert http.get("/static/x%0d%0aset-cookie:a=b").headers.get("set-cookie") is None


def test_a_digest_that_was_guessed_brings_nobody_the_data_of_others(settings: Settings, served: Served) -> None:
    """A manifest of the chunks that another message has: in each way in which a client may write one."""
    manifest = {"digest": "0" * 64, "size": 5, "chunks": ["0" * 64], "content_type": "text/plain"}
    packed = base64.b64encode(msgspec.msgpack.encode(manifest)).decode()
    event = {"specversion": "1.0", "id": "1", "source": "thief", "type": "page", "target": "sink"}
    written: list[tuple[dict[str, object], str]] = [
        ({"target": "sink", "data": manifest, "content_type": BLOB}, "application/json"),
        ({"target": "sink", "data": manifest, "content_type": f" {BLOB.upper()};v=1"}, "application/json"),
        ({**event, "datacontenttype": BLOB, "data_base64": packed}, "application/cloudevents+json"),
    ]
    with served.http(token_of(settings, "thief")) as http:
        for body, kind in written:
            said = http.post("/v1/messages", content=json.dumps(body), headers={"content-type": kind})
            assert (said.status_code, "send the data itself" in said.text) == (400, True)
        binary = {f"ce-{name}": value for name, value in event.items()} | {"content-type": BLOB}
        assert http.post("/v1/messages", content=base64.b64decode(packed), headers=binary).status_code == 400


def test_a_module_that_floods_is_slowed_down_and_others_are_not(settings: Settings, served: Served) -> None:
    flood, other = token_of(settings, "flood"), token_of(settings, "other")
    with served.http(flood) as http:
        event = {"specversion": "1.0", "id": "1", "source": "flood", "type": "message", "target": "sink", "data": 1}
        kind = {"content-type": "application/cloudevents-batch+json"}
        results = http.post("/v1/messages", content=json.dumps([event] * 200), headers=kind).json()["results"]
        refused = [result["error"] for result in results if "error" in result]
        assert refused
        assert {error["code"] for error in refused} == {"too_fast"}
        # It has room for another one each half a second.
        while (answered := http.post("/v1/messages", json={"target": "sink", "data": 1})).status_code == 202:
            pass
        assert answered.headers["retry-after"] == "1"
    with served.http(other) as http:
        assert http.post("/v1/messages", json={"target": "sink", "data": 1}).status_code == 202


def test_deflate_is_not_negotiated(settings: Settings, impatient: Served) -> None:
    lines = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: claude-comm.v1",
             "Sec-WebSocket-Extensions: permessage-deflate")  # fmt: skip
    with raw(impatient) as connection:
        connection.sendall(head(impatient, "GET /v1/socket HTTP/1.1", *lines).encode())
        said = ""
        while "unauthorised" not in said:
            said += connection.recv(65_536).decode("latin-1")
    assert said.startswith("HTTP/1.1 101")
    assert "permessage-deflate" not in said.lower()


def test_script_in_a_message_is_data_in_every_answer(settings: Settings, served: Served) -> None:
    with served.http(token_of(settings, "web")) as http:
        said = http.post("/v1/messages", json={"target": "<script>alert(1)</script>", "data": 1})
        assert said.headers["content-type"] == "application/problem+json"
        assert said.headers["x-content-type-options"] == "nosniff"
        assert json.loads(said.text)["code"] == "invalid_name"

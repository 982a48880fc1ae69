"""Many WebSocket clients in one process, as cheap as they can be: `python -m benchmarks.gateway_clients JSON`.

They shake hands, say their first frames, and then read the headers of frames alone and count a mark within them. A line
of stdin says how many messages each is to get; a line of stdout what all of them got, and in what time. With a count
below zero the clients shake hands and never read again.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from typing import Any

# What each message has once, and nothing else has.
MARK = "!bench!"
_MARK = MARK.encode()
_PING, _PONG = 0x89, b"\x8a"
_RECEIVE_BYTES = 256 * 1024
_PATIENCE_S = 150.0


class Reader:
    """Counts frames and marks in what one socket receives, in pieces of any size."""

    def __init__(self) -> None:
        self.frames = self.messages = 0
        # What pings had in them, to be answered.
        self.pings: list[bytes] = []
        self._left = 0
        self._head = b""
        self._tail = b""

    def feed(self, data: bytes) -> None:
        self.messages += data.count(_MARK)
        if self._tail:  # a mark may lie across two pieces
            self.messages += (self._tail + data[: len(_MARK) - 1]).count(_MARK)
        self._tail = (self._tail + data[-(len(_MARK) - 1) :])[-(len(_MARK) - 1) :]
        at = 0
        while at < len(data):
            skipped = min(self._left, len(data) - at)
            at, self._left = at + skipped, self._left - skipped
            if not self._left and at < len(data):
                at = self._header(data, at)

    def _header(self, data: bytes, at: int) -> int:
        """Reads a frame's header, or as much of it as is there; where its payload begins."""
        begun = len(self._head)
        head = self._head + data[at : at + 10]
        size = 2 if len(head) < 2 else {126: 4, 127: 10}.get(head[1], 2)
        if len(head) < size or len(head) < 2:
            self._head = head
            return len(data)
        self._head = b""
        self._left = head[1] if size == 2 else int.from_bytes(head[2:size], "big")
        at += size - begun
        if head[0] == _PING:
            self.pings.append(data[at : at + self._left])
        else:
            self.frames += 1
        return at


def masked(text: str) -> bytes:
    """A text frame of a client, with a mask of zeros."""
    payload = text.encode()
    size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + payload


def connect(asked: dict[str, Any]) -> socket.socket:
    """A client that has shaken hands, and follows what its first frames say."""
    client = socket.create_connection(("127.0.0.1", asked["port"]))
    head = f"""GET {asked["path"]} HTTP/1.1
Host: 127.0.0.1:{asked["port"]}
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
"""
    if asked["protocol"]:
        head += f"Sec-WebSocket-Protocol: {asked['protocol']}\n"
    client.sendall(f"{head}\n".replace("\n", "\r\n").encode())
    said = read_until(client, b"\r\n\r\n")
    client.sendall(b"".join(masked(text) for text in asked["first"]))
    if asked["protocol"] and b'"subscribed"' not in said:
        read_until(client, b'"subscribed"')
    return client


def read_until(client: socket.socket, end: bytes) -> bytes:
    """What the server says, up to the small frame that has this."""
    said = b""
    while end not in said:
        piece = client.recv(65_536)
        if not piece:
            raise ConnectionError(said.decode("latin-1"))
        said += piece
    return said


def count(clients: dict[socket.socket, Reader], each: int) -> dict[str, float]:
    """Reads until all clients together have so many messages each."""
    selector = selectors.EpollSelector()
    for client, reader in clients.items():
        reader.frames = reader.messages = 0
        selector.register(client, selectors.EVENT_READ, reader)
    wanted, seen, began = each * len(clients), 0, 0.0
    until = time.monotonic() + _PATIENCE_S
    while seen < wanted:
        for key, _ in selector.select(1.0):
            data = key.fileobj.recv(_RECEIVE_BYTES)  # type: ignore[union-attr]
            if not data:
                raise ConnectionError(f"a client was cut off after {key.data.messages} messages")
            began = began or time.perf_counter()
            seen -= key.data.messages
            key.data.feed(data)
            seen += key.data.messages
            while key.data.pings:
                payload = key.data.pings.pop()
                key.fileobj.send(_PONG + bytes((0x80 | len(payload),)) + bytes(4) + payload)  # type: ignore[union-attr]
        if time.monotonic() > until:
            raise TimeoutError(f"{seen} of {wanted} messages came")
    seconds = time.perf_counter() - began
    return {"messages": seen, "frames": sum(reader.frames for reader in clients.values()), "seconds": seconds}


def main(words: list[str]) -> int:
    asked = json.loads(words[0])
    clients = {connect(asked): Reader() for _ in range(abs(asked["count"]))}
    print(json.dumps({"ready": len(clients)}), flush=True)
    for line in sys.stdin:
        if asked["count"] > 0:
            print(json.dumps(count(clients, int(line))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A client of the gateway's WebSocket that speaks its own protocol."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from websockets.sync.client import ClientConnection, connect

from tests.support.gateways import Served
from tests.support.waiting import PATIENCE_S


class Talk:
    """A client of claude-comm.v1."""

    def __init__(self, served: Served, token: str, form: str = "json") -> None:
        subprotocols: Any = ["claude-comm.v1"]
        self.socket: ClientConnection = connect(
            served.socket_address, subprotocols=subprotocols, compression=None, proxy=None, legacy=True
        )
        self.form = form
        self.say("hello", token=token, format=form)
        self.welcome = self.hear("welcome", "error")

    def say(self, kind: str, **fields: Any) -> None:
        frame = {"kind": kind, **fields}
        self.socket.send(json.dumps(frame) if self.form == "json" else msgspec.msgpack.encode(frame))

    def hear(self, *kinds: str) -> dict[str, Any]:
        """The next frame of one of these kinds."""
        while True:
            text = self.socket.recv(PATIENCE_S)
            frame = json.loads(text) if isinstance(text, str) else msgspec.msgpack.decode(text)
            if frame["kind"] in kinds:
                return dict(frame)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

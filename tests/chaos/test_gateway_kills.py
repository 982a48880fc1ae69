"""The gateway is killed again and again under subscribers that resume: nothing lost, and nothing doubled after ids."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from claude_comm import Publisher
from claude_comm.settings import Settings
from tests.support.gateways import gateway_process, token_of
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_S, wait_until

SUBSCRIBERS = 20
KILLS = int(os.environ.get("GATEWAY_KILLS", "50"))
LAST = "last"


class Subscriber(threading.Thread):
    """Follows the topic until the last message, over however many connections."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(daemon=True)
        self.address, self.token = address, token
        self.seen: dict[str, Any] = {}
        self.positions: dict[str, str] = {}
        self.connections = self.gaps = 0

    def run(self) -> None:
        while LAST not in self.seen.values():
            try:
                self.follow()
            except (OSError, WebSocketException, TimeoutError):
                time.sleep(0.05)  # nobody listens there at the moment

    def follow(self) -> None:
        subprotocols: Any = ["claude-comm.v1"]
        with connect(self.address, subprotocols=subprotocols, compression=None, proxy=None) as talk:
            talk.send(json.dumps({"kind": "hello", "token": self.token}))
            asked = {"kind": "subscribe", "sub": "n", "topic": "news", "start": "oldest", "after": self.positions}
            talk.send(json.dumps(asked))
            self.connections += 1
            while LAST not in self.seen.values():
                frame = json.loads(talk.recv(PATIENCE_S))
                if frame["kind"] == "subscribed":
                    self.gaps += not frame["recovered"]
                elif frame["kind"] == "deliver":
                    for message in frame["messages"]:
                        self.seen.setdefault(message["id"], message["data"])
                    self.positions.update(frame["positions"])


@pytest.mark.long
def test_subscribers_resume_over_fifty_kills(settings: Settings, environ: dict[str, str]) -> None:
    token, port = token_of(settings, "web"), free_port()
    subscribers = [Subscriber(f"ws://127.0.0.1:{port}/v1/socket", token) for _ in range(SUBSCRIBERS)]
    for subscriber in subscribers:
        subscriber.start()
    sent: list[Any] = []
    with Publisher("paper", settings=settings) as publisher:
        for _ in range(KILLS):
            with gateway_process(environ, "--port", str(port), "--grant", "web=read:topic:news") as (process, _address):
                before = min(len(subscriber.seen) for subscriber in subscribers)
                for _ in range(20):
                    sent.append(len(sent))
                    publisher.publish("topic:news", sent[-1])
                # Killed while some have more and some have less of what was sent.
                wait_until(lambda before=before: max(len(s.seen) for s in subscribers) > before)  # type: ignore[misc]
                process.kill()
        sent.append(LAST)
        publisher.publish("topic:news", LAST)
    with gateway_process(environ, "--port", str(port), "--grant", "web=read:topic:news"):
        for subscriber in subscribers:
            subscriber.join(PATIENCE_S)
            assert list(subscriber.seen.values()) == sent
            assert subscriber.gaps == 0
            assert subscriber.connections > 1

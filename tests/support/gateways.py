"""A gateway on a thread of the test, with a real socket; and one that is a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from claude_comm.client import keyholders
from claude_comm.gateway import serving
from claude_comm.gateway.core.gateway import Gateway
from claude_comm.gateway.core.options import GatewaySettings
from claude_comm.settings import Settings
from claude_comm.transport.connect import connect
from tests.support.waiting import PATIENCE_S


def token_of(settings: Settings, name: str, *, service: bool = False) -> str:
    """A new token of a module."""
    with connect(settings) as client:
        return keyholders.add(client, settings, name, role="service" if service else "module").token


class Served:
    """A gateway that serves on a thread."""

    def __init__(self, gateway: Gateway, address: str, servers: list[serving.Server]) -> None:
        self.gateway, self.address, self._servers = gateway, address, servers

    def stop(self) -> None:
        """Lets it end, as a signal does."""
        for server in self._servers:
            server.should_exit = True

    @property
    def socket_address(self) -> str:
        return self.address.replace("http", "ws", 1) + "/v1/socket"

    def http(self, token: str = "", **headers: str) -> httpx.Client:
        """A client that shows this token."""
        shown = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.address, headers={**shown, **headers}, timeout=PATIENCE_S, trust_env=False)


@contextmanager
def serving_gateway(settings: Settings, options: GatewaySettings | None = None, port: int = 0) -> Iterator[Served]:
    """Serves with these options while the block lasts."""
    gateway = Gateway(settings, options or GatewaySettings(port=0))
    listening = serving.listen("127.0.0.1", port)
    started, ended = threading.Event(), threading.Event()
    server: list[serving.Server] = []

    def run() -> None:
        try:
            with listening:
                asyncio.run(serving.serve(gateway, listening, started.set, server.append))
        finally:
            ended.set()
            started.set()

    thread = threading.Thread(target=run)
    address = serving.address_of(listening)
    thread.start()
    assert started.wait(PATIENCE_S)
    assert not ended.is_set()
    try:
        yield Served(gateway, address, server)
    finally:
        for running in server:
            running.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@contextmanager
def gateway_process(environ: Mapping[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`claude-comm gateway` as a process: it, and its address."""
    command = [sys.executable, "-m", "claude_comm", "gateway", "--json", *arguments]
    process = subprocess.Popen(command, env=dict(environ), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["address"]
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()

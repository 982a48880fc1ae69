"""A page in a browser that asks a module, publishes to a topic and follows it, through the gateway.

Run it with `python examples/browser/serve.py` (it needs `pip install 'claude-comm[gateway]'`), and open the address
that it prints. Ctrl-C ends it. What the page does is in `index.html`.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from claude_comm import Context, Module

PAGE = Path(__file__).with_name("index.html")
COMMAND = [sys.executable, "-m", "claude_comm"]


class Question(msgspec.Struct):
    number: int


doubler = Module("doubler")
ready = threading.Event()


@doubler.on_start
def start(_context: Context) -> None:
    ready.set()


@doubler.handles("question")
def double(question: Question) -> int:
    return question.number * 2


class Site(ThreadingHTTPServer):
    """Your own web server: it has the page, and tells it where the gateway is and which token to show."""

    settings: dict[str, str]


class Files(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        if self.path == "/":
            self.answer("text/html; charset=utf-8", PAGE.read_bytes())
        elif self.path == "/settings.json":
            # The token speaks for the module `page`: your application gives it to people whom it has logged in.
            self.answer("application/json", json.dumps(self.server.settings).encode())
        else:
            self.send_error(404)

    def answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for the address."""


@contextmanager
def gateway(origin: str) -> Iterator[str]:
    """A gateway that pages of this origin may use; its address."""
    options = ["--port", "0", "--origin", origin, "--grant", "page=read:topic:news", "--json"]
    with subprocess.Popen([*COMMAND, "gateway", *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["address"]
        finally:
            process.terminate()
            process.wait()


def new_token() -> str:
    command = [*COMMAND, "module", "add", "page", "--valid", "1d", "--json"]
    added = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return str(json.loads(added.stdout)["token"])


if __name__ == "__main__":
    running = threading.Thread(target=doubler.run)
    running.start()
    try:
        with Site(("127.0.0.1", 0), Files) as site:
            origin = f"http://127.0.0.1:{site.server_port}"
            with gateway(origin) as address:
                site.settings = {"gateway": address, "token": new_token()}
                ready.wait()
                print(origin, flush=True)
                site.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        doubler.stop()
        running.join()

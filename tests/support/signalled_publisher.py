"""A program whose signal handlers publish on the very thread that they interrupt: prints `all` when all were sent."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from claude_comm.client.publisher.batching import Batcher
from claude_comm.effects import Post
from claude_comm.errors import PublisherBusy
from claude_comm.ops.publish import Outcomes

# Two thousand take twelve seconds of processor.
SIGNALS = int(sys.argv[1]) if len(sys.argv) > 1 else 300


class Server:
    """Takes all, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def deliver(self, posts: Sequence[Post]) -> Outcomes:
        self.count += len(posts)
        return [b"1-1"] * len(posts)


class Program:
    """One thread that is interrupted, two that are busy, and one that interrupts."""

    def __init__(self) -> None:
        self.server = Server()
        self.batcher = Batcher(self.server, 1_000_000, "wait")  # type: ignore[arg-type]
        self.sent = [0, 0, 0]
        self.handled = self.by_handler = 0
        self.ready = threading.Semaphore()
        self.main = threading.get_ident()

    def on_signal(self, *_: object) -> None:
        self.handled += 1
        if self.handled % 2:
            self.batcher.send_soon("soon", Post("x", b"soon"))
            self.by_handler += 1
        else:
            try:
                self.batcher.send("now", Post("x", b"now"))
                self.by_handler += 1
            except PublisherBusy:
                pass
        self.ready.release()

    def publish(self, number: int) -> None:
        while self.handled < SIGNALS:
            self.batcher.send("busy", Post("x", b"busy"))
            self.sent[number] += 1

    def interrupt(self) -> None:
        for _ in range(SIGNALS):
            self.ready.acquire()
            signal.pthread_kill(self.main, signal.SIGUSR1)

    def run(self) -> bool:
        signal.signal(signal.SIGUSR1, self.on_signal)
        threads = [threading.Thread(target=self.publish, args=(number,)) for number in (1, 2)]
        threads.append(threading.Thread(target=self.interrupt))
        for thread in threads:
            thread.start()
        self.publish(0)
        for thread in threads:
            thread.join()
        self.batcher.close()
        return self.server.count == sum(self.sent) + self.by_handler


if __name__ == "__main__":
    print("all" if Program().run() else "some")
    sys.exit()

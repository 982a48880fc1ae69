"""One process of a rolling upgrade, of whatever release its PYTHONPATH names: `python upgrade.py publish|handle NAME`.

Each line on stdout is a fact: first the file that the package was imported from, then the number of each message that
was published (its publish returned) or handled. SIGTERM ends it.
"""

import itertools
import signal
import sys
import threading

import claude_comm
from claude_comm import Module, Publisher


def publish(name: str) -> None:
    """Publishes numbers to `sink`, each of its own, until it is told to end."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Publisher(name) as publisher:
        for number in itertools.count():
            if stop.wait(0.002):
                return
            publisher.publish("sink", {"from": name, "number": number})
            print(f"{name}/{number}", flush=True)


def handle(_name: str) -> None:
    sink = Module("sink")

    @sink.handles("message")
    def take(message: dict) -> None:  # type: ignore[type-arg]
        print(f"{message['from']}/{message['number']}", flush=True)

    sys.exit(sink.run())


if __name__ == "__main__":
    print(claude_comm.__file__, flush=True)
    {"publish": publish, "handle": handle}[sys.argv[1]](sys.argv[2])

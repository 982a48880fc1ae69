"""Modules and a publisher on a cluster: the code is that of one server, the inboxes are spread over the masters.

Run it with `python examples/cluster.py`: it starts three masters on this machine, and stops them at the end. With
`CLAUDE_COMM_URL=redis+cluster://HOST:PORT,HOST:PORT` it uses your cluster.
"""

import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from claude_comm import Module, Publisher
from claude_comm.runtime import private_server

TILLS, SALES = 6, 10
SLOTS = 16384


def work() -> None:
    """Sends each till its sales, and waits until all of them are handled."""
    handled = threading.Semaphore(0)
    tills = [till(f"till-{number}", handled) for number in range(TILLS)]
    threads = [threading.Thread(target=module.run) for module in tills]
    for thread in threads:
        thread.start()
    with Publisher("shop") as shop:
        for module in tills:
            shop.publish_many(module.name, list(range(SALES)), type="sale")
    for _ in range(TILLS * SALES):
        handled.acquire()
    print(f"{TILLS * SALES} sales handled by {TILLS} modules")
    for module, thread in zip(tills, threads, strict=True):
        module.stop()
        thread.join()


def till(name: str, handled: threading.Semaphore) -> Module:
    module = Module(name)

    @module.handles("sale")
    def sell(number: int) -> None:
        handled.release()

    return module


@contextmanager
def three_masters() -> Iterator[list[int]]:
    """The ports of a new cluster, each with a third of the slots."""
    with ExitStack() as stack:
        ports, buses = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
        masters = [stack.enter_context(master(*pair)) for pair in zip(ports, buses, strict=True)]
        for number, node in enumerate(masters):
            first, end = SLOTS * number // 3, SLOTS * (number + 1) // 3
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for port, bus in zip(ports, buses, strict=True):
            masters[0].execute_command("CLUSTER MEET", "127.0.0.1", port, bus)
        while not all(is_whole(node) for node in masters):
            time.sleep(0.05)
        yield ports


@contextmanager
def master(port: int, bus: int) -> Iterator[redis.Redis]:
    """One master in a folder of its own, and a client that speaks to it alone."""
    with tempfile.TemporaryDirectory() as folder:
        words = f"--port {port} --cluster-port {bus} --bind 127.0.0.1 --cluster-enabled yes --appendonly yes"
        log = Path(folder) / "log"
        command = [str(private_server.binary()), *words.split(), "--dir", folder, "--logfile", str(log)]
        with subprocess.Popen(command) as process, redis.Redis(port=port) as client:
            try:
                while not answers(client):
                    if process.poll() is not None:
                        raise SystemExit(f"a master did not start: {log.read_text()}")
                    time.sleep(0.05)
                yield client
            finally:
                process.terminate()
                process.wait()


def answers(node: redis.Redis) -> bool:
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def is_whole(node: redis.Redis) -> bool:
    """Whether this master knows where every slot is."""
    info = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_slots_ok"]) == SLOTS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show_inboxes(ports: list[int]) -> None:
    for port in ports:
        with redis.Redis(port=port, decode_responses=True) as node:
            keys = sorted(node.scan_iter(match="*:inbox"))
            print(f"the master at {port} has {', '.join(keys) or 'no inbox'}")


if __name__ == "__main__":
    if os.environ.get("CLAUDE_COMM_URL"):
        work()
    else:
        with three_masters() as ports:
            os.environ["CLAUDE_COMM_URL"] = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)
            work()
            show_inboxes(ports)

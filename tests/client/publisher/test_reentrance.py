"""Publishing from a signal handler, a `__del__`, a log handler, and in a forked child: it is done, queued or refused,
and nobody waits for itself or for a thread that is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from claude_comm.effects import Command
from claude_comm.names import Keys
from claude_comm.transport.driver import Client
from tests.support.waiting import PATIENCE_S


def run(program: str, environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """What waits for itself is ended by the time that a test has."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


# A timer that interrupts at any moment; its handler publishes by both ways while the main thread does the same.
INTERRUPTED = """
import signal, sys
from claude_comm import InboxFull, Publisher, PublisherBusy
count = {"soon": 0, "now": 0, "busy": 0}

within = []

def tick(*_):
    if within:
        return  # on a busy machine the next signal comes before this one is done
    within.append(1)
    publisher.publish_soon("sink", "soon")
    count["soon"] += 1
    try:
        publisher.publish("sink", "now")
        count["now"] += 1
    except PublisherBusy:
        count["busy"] += 1
    within.clear()

with Publisher("a", outbox=sys.argv[1] or None) as publisher:
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    number = 0
    while min(count.values()) < 20:
        publisher.publish_soon("sink", number)
        publisher.publish("sink", number)
        number += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
print(2 * number + count["soon"] + count["now"])
"""


@pytest.mark.parametrize("outbox", [False, True], ids=["plain", "outbox"])
def test_a_signal_handler_publishes_or_is_refused_and_nothing_deadlocks(
    environ: dict[str, str], client: Client, keys: Keys, tmp_path: Path, outbox: bool
) -> None:
    done = run(INTERRUPTED, environ, str(tmp_path / "a.outbox") if outbox else "")
    assert done.returncode == 0, done.stderr
    assert client.data.one(Command(("XLEN", keys.inbox("sink")))) == int(done.stdout)


# The inbox is at its limit: the main thread waits for room, and is interrupted there.
HELD = """
import signal
from claude_comm import InboxFull, Publisher, PublisherBusy
seen = []

def tick(*_):
    if "within" in seen:
        return
    seen.append("within")
    try:
        publisher.publish("sink", "more")
    except (PublisherBusy, InboxFull) as error:
        seen.append(type(error).__name__)
    seen.remove("within")

with Publisher("a", lag_wait_s=0.2) as publisher:
    publisher.publish_many("sink", range(5))
    signal.signal(signal.SIGALRM, tick)
    while "PublisherBusy" not in seen:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        try:
            publisher.publish("sink", 1)
        except InboxFull:
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_a_signal_handler_does_not_wait_for_the_room_that_its_thread_waits_for(environ: dict[str, str]) -> None:
    done = run(HELD, environ | {"CLAUDE_COMM_MAX_LAG": "5"})
    assert done.returncode == 0, done.stderr


# A log handler that publishes each line: our own lines come while a publish is under way, too.
LOGGING = """
import gc, logging, sys
from claude_comm import Publisher, PublisherBusy
busy = []

class Shipping(logging.Handler):
    def emit(self, record):
        try:
            publisher.publish("sink", record.getMessage())
        except PublisherBusy:
            busy.append(record)
            publisher.publish_soon("sink", record.getMessage())

class Leaving:
    def __del__(self):
        publisher.publish_soon("sink", "left")

class Noisy:
    \"\"\"A payload that logs, and leaves garbage, while it is being encoded and sent.\"\"\"
    def __iter__(self):
        logging.getLogger("app").warning("encoding")
        leaving = Leaving()
        leaving.itself = leaving
        del leaving
        gc.collect()
        yield 1

logging.getLogger("app").addHandler(Shipping())
with Publisher("a") as publisher:
    plain = publisher._batcher._sender.deliver
    def deliver(posts):
        if len(posts) > 1 and not busy:
            logging.getLogger("app").warning("sending")
            Leaving()
        return plain(posts)
    publisher._batcher._sender.deliver = deliver
    publisher.publish_many("sink", Noisy())
    publisher.publish_many("sink", [1, 2])
assert busy
"""


def test_log_handlers_and_finalizers_publish(environ: dict[str, str], client: Client, keys: Keys) -> None:
    done = run(LOGGING, environ)
    assert done.returncode == 0, done.stderr
    # 1; 1, 2; "encoding", "left" by the collector; "sending", "left" from within the publish.
    assert client.data.one(Command(("XLEN", keys.inbox("sink")))) == 7


# Twenty children, each forked while the parent's threads publish by all ways.
FORKS = """
import os, sys, threading, time
from claude_comm import Publisher

def busy():
    number = 0
    while not stop.is_set():
        publisher.publish("parent", number)
        publisher.publish_soon("parent", number)
        publisher.publish_many("parent", [number, number])
        number += 1

stop = threading.Event()
with Publisher("a") as publisher:
    publisher.publish("parent", 0)
    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    ok = 0
    for number in range(20):
        child = os.fork()
        if child == 0:
            publisher.publish("child", number)
            publisher.publish_soon("child", number).result(60)
            publisher.publish_many("child", [number, number])
            publisher.flush()
            publisher.close()
            os._exit(0)
        end = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
            time.sleep(0.005)
        if ended == (0, 0):
            os.kill(child, 9)
            os.waitpid(child, 0)
        ok += ended[1] == 0 and ended[0] == child
    stop.set()
    for thread in threads:
        thread.join()
print(ok)
"""


def test_twenty_children_that_are_forked_beside_busy_threads_publish(
    environ: dict[str, str], client: Client, keys: Keys
) -> None:
    done = run(FORKS, environ)
    assert (done.stdout, done.returncode) == ("20\n", 0), done.stderr
    assert client.data.one(Command(("XLEN", keys.inbox("child")))) == 80
    ids = [fields[1] for _, fields in client.data.one(Command(("XRANGE", keys.inbox("child"), "-", "+")))]
    assert len(set(ids)) == 80, "each with an id of its own"


FORKED_OUTBOX = """
import os, sys, threading
from claude_comm import Publisher, StoreError
path = sys.argv[1]
publisher = Publisher("a", outbox=path)
publisher.publish("sink", 1)
publisher._outbox._lock.acquire()
child = os.fork()
if child == 0:
    try:
        publisher.publish("sink", 2)
    except StoreError as error:
        assert "file of its own" in str(error)
        publisher.close()
        with Publisher("b", outbox=path + ".child") as own:
            own.publish("sink", 3)
        os._exit(7)
publisher._outbox._lock.release()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
publisher.publish("sink", 4)
# One that stays behind when its parent is gone does not hold the file.
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""


def test_an_outbox_stays_the_one_of_the_process_that_opened_it(
    environ: dict[str, str], client: Client, keys: Keys, tmp_path: Path
) -> None:
    path = tmp_path / "a.outbox"
    with subprocess.Popen(
        [sys.executable, "-c", FORKED_OUTBOX, str(path)], env=environ, stdin=subprocess.PIPE
    ) as program:
        assert program.wait(PATIENCE_S) == 0
        again = "from claude_comm import Publisher; import sys; Publisher('a', outbox=sys.argv[1]).close()"
        done = run(again, environ, str(path))
        assert done.returncode == 0, done.stderr
    # Where the last one landed was not noted when its process ended: it may be sent again, under the same id.
    entries = client.data.one(Command(("XRANGE", keys.inbox("sink"), "-", "+")))
    assert len({fields[1] for _, fields in entries}) == 3

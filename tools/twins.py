"""Writes the blocking face of each pair of twins from its asyncio face, and checks that what lies there is fresh.

    python tools/twins.py            writes them
    python tools/twins.py --check    names those that are not fresh, and exits 1

Law: people edit the asyncio file. What differs by rule (`await`, `AsyncX`, `x_async`, `async_x`) is rewritten by rule,
what differs in words stands in `TWINS`, and a statement or a method below a comment `# asyncio only` is left out. A
word that does not occur any more is an error, and so is what still speaks of asyncio when all is rewritten.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent


class Twin(NamedTuple):
    """One pair. `words` are texts of the asyncio file and what the blocking one has in their place."""

    source: str
    target: str
    words: Mapping[str, str] = {}


TWINS = (
    Twin(
        "claude_comm/transport/async_driver.py",
        "claude_comm/transport/driver.py",
        {
            "The asyncio driver: performs the effects of an operation one after another, awaited.": (
                "The blocking driver: performs the effects of an operation one after another."
            ),
            "import AsyncConnectionPool, AsyncPendingReplies, Landed": "import ConnectionPool, PendingReplies",
        },
    ),
    Twin(
        "claude_comm/transport/async_cluster.py",
        "claude_comm/transport/cluster.py",
        {
            "the master that has its key; asyncio.": "the master that has its key; blocking.",
            "one cluster, for one event loop.": "one cluster; safe to share between threads.",
            "import AsyncConnectionPool, AsyncPendingReplies, Landed": "import ConnectionPool, PendingReplies",
        },
    ),
    Twin(
        "claude_comm/client/communicator/async_communicator.py",
        "claude_comm/client/communicator/communicator.py",
        {
            "The simple face, on an event loop:": "The simple face:",
            "One class, no handlers.": "One class, no handlers, no loop.",
            "without handlers, for one event loop. An async context manager.": (
                "without handlers. A context manager; safe to share between threads."
            ),
            "await asyncio.to_thread(self._projection.messages, target, limit, before)": (
                "self._projection.messages(target, limit, before)"
            ),
            "await asyncio.to_thread(self._finder.answer, query)": "self._finder.answer(query)",
            "for change in await asyncio.to_thread(watch.changes):\n                yield change": (
                "yield from watch.changes()"
            ),
            "await asyncio.to_thread(self._projection.progress, task)": "self._projection.progress(task)",
            "Iterable[T] | AsyncIterable[T]": "Iterable[T]",
            "-> AsyncIterator[T]": "-> Iterator[T]",
            "import AsyncIterable, AsyncIterator, Iterable,": "import Iterable, Iterator,",
            ", as an `async for` reads them;": ";",
            "For `async with`. Its start": "Its start",
        },
    ),
    Twin(
        "claude_comm/client/communicator/async_session.py",
        "claude_comm/client/communicator/session.py",
        {"Awaitable[None]]": "None]"},
    ),
    Twin(
        "claude_comm/client/communicator/async_tasks.py",
        "claude_comm/client/communicator/tasks.py",
        {
            "Awaitable[None]]": "None]",
            "in _each(items)": "in items",
            "Iterable[T] | AsyncIterable[T]": "Iterable[T]",
            "-> AsyncIterator[T]": "-> Iterator[T]",
            "import AsyncIterable, AsyncIterator,": "import Iterator,",
        },
    ),
    Twin(
        "claude_comm/client/module/async_context.py",
        "claude_comm/client/module/context.py",
        {
            "The context of an `async` handler: the message": "The context of a plain function: the message",
            "A send is on its way from the moment of the call;\n"
            "`await` it for the id, or let the end of the handler wait for it.": (
                "A send that returned is in the\nstream."
            ),
            "import Callable, Coroutine, Sequence": "import Callable, Sequence",
            "The context of an `async` handler: as `Context`, without holding up the event loop.": (
                "The message being handled, and what a handler can do. `envelope` is None in a start function and\n"
                "    for a batch handler, which finds its messages in `envelopes`."
            ),
            "`send`, `progress` and `file` begin at once and return a task: `await` it for its result. A handler "
            "has ended when\n    all of them have, and fails as they fail.": (
                "Messages sent from here carry the session and the correlation of the message being handled, and\n"
                "    name it as their cause. An `async` handler is given one whose methods are awaited."
            ),
            "asyncio.Task[str]": "str",
            "asyncio.Task[None]": "None",
            "the task returns its id when it is in the stream.": "returns its id.",
            "The task raises as that does": "Raises as that does",
            "return self._begin(self._send(target, data, type, delay_s, at, ttl_s, self._threading(session)))": (
                "return self._send(target, data, type, delay_s, at, ttl_s, self._threading(session))"
            ),
            "return self._begin(self._publisher.tell(task_progress(task, completed, total), session=self.session))": (
                "self._publisher.tell(task_progress(task, completed, total), session=self.session)"
            ),
            "return self._begin(self._publisher.tell(event, session=self.session))": (
                "self._publisher.tell(event, session=self.session)"
            ),
        },
    ),
    Twin("claude_comm/client/consumer/async_read_ahead.py", "claude_comm/client/consumer/read_ahead.py"),
    Twin(
        "claude_comm/client/consumer/async_consumer.py",
        "claude_comm/client/consumer/consumer.py",
        {
            "Receiving messages on an event loop.": "Receiving messages.",
            "An async context manager.": "A context manager.",
            "for delivery in deliveries:\n                yield delivery": "yield from deliveries",
            "await asyncio.wait_for(self._unpaused.wait(), wait_s)": "self._unpaused.wait(wait_s)",
            "Stops reading new messages until `resume`.": "Stops reading new messages until `resume`; from any thread.",
        },
    ),
    Twin(
        "claude_comm/client/publisher/async_durable.py",
        "claude_comm/client/publisher/durable.py",
        {", sent from an event loop.": "."},
    ),
    Twin(
        "claude_comm/client/publisher/async_publisher.py",
        "claude_comm/client/publisher/publisher.py",
        {
            "Sending messages from an event loop.": "Sending messages.",
            "An async context manager.": "A context manager.",
            "between the tasks of an event loop": "between threads",
            "import asyncio\n": "import asyncio\nfrom concurrent.futures import Future\n",
            "asyncio.Future[str]": "Future[str]",
            "self._looking = asyncio.Lock()": "self._looking = LoneLock()",
            "from claude_comm.client.publisher.outbox_sender": (
                "from claude_comm.client.publisher.lone_lock import LoneLock\n"
                "from claude_comm.client.publisher.outbox_sender"
            ),
            "await asyncio.to_thread(negotiate.settle_alone, self.identity.settings, asked, because, before)": (
                "negotiate.settle(self.client, self.identity.settings, asked, because, before)"
            ),
            "await asyncio.to_thread(self._outbox.close)": "self._outbox.close()",
            "await asyncio.to_thread(transfer.step)": "transfer.step()",
        },
    ),
)

# In this order: what is left out first, then the words of the language, then the names.
RULES: tuple[tuple[str, str], ...] = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"\baclosing\b", "closing"),
    (r"\bAsyncExitStack\b", "ExitStack"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\basyncio\.(Lock|Event)\b", r"threading.\1"),
    (r"^import asyncio$", "import threading\nimport time"),
    (r"\b(_?)Async(?=[A-Z])", r"\1"),
    (r"\b(_?)async_(?=[a-z])", r"\1"),
    (r"\b([a-z_]+)_async\b", r"\1"),
)
ONLY = "# asyncio only"


def blocking(twin: Twin, source: str) -> str:
    """The text of the blocking face. Raises ValueError for a word that does not occur or has no blocking form."""
    text = "\n".join(_shared(source.splitlines())) + "\n"
    for word, instead in twin.words.items():
        if word not in text:
            raise ValueError(f"{twin.source} does not say {word!r} any more: change the words of its twin.")
        text = text.replace(word, instead)
    for pattern, instead in RULES:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    text = _tidied(f"# Written by tools/twins.py from {Path(twin.source).name}: edit that file.\n{text}", twin.target)
    # A turn of the event loop is nothing that threads need, and a sleep of 0 s takes 70 µs: Linux ends it late.
    if left := re.search(r".*(?:\b(?:asyncio|await)\b|\bsleep\(0\)).*", text.partition("\n")[2]):
        raise ValueError(f"{twin.source}: {left[0].strip()!r} has no blocking form: give its twin a word for it.")
    return text


def _shared(lines: Sequence[str]) -> Iterator[str]:
    """The lines without the statements that are for asyncio only."""
    number = 0
    while number < len(lines):
        if lines[number].strip() != ONLY:
            yield lines[number]
            number += 1
            continue
        depth = _depth(lines[number])
        number += 1
        while lines[number].strip().startswith("@"):
            number += 1
        number += 1
        while number < len(lines) and (not lines[number].strip() or _goes_on(lines[number], depth)):
            number += 1


def _goes_on(line: str, depth: int) -> bool:
    return _depth(line) > depth or (_depth(line) == depth and line.strip()[0] in ")]}")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tidied(text: str, name: str) -> str:
    """The text as ruff leaves it: without imports that nobody needs, in the house's form."""
    for command in (["check", "--fix-only", "--quiet", "--select", "I,F401"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    return text


def main(arguments: Sequence[str]) -> int:
    """0, or 1 when a blocking face was not fresh and `--check` was given."""
    stale = 0
    for twin in TWINS:
        target, text = REPOSITORY / twin.target, blocking(twin, (REPOSITORY / twin.source).read_text(encoding="utf-8"))
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            continue
        if "--check" in arguments:
            print(f"{twin.target} is not what {twin.source} says: run `python tools/twins.py`.", file=sys.stderr)
            stale = 1
        else:
            target.write_text(text, encoding="utf-8")
            print(twin.target)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

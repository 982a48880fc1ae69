"""The demo's pipeline on three masters: the same projection as on one server."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from claude_comm import Settings
from claude_comm.demo import stage
from claude_comm.names import Keys
from claude_comm.runtime import private_server, worker_processes
from claude_comm.store.database import Database, open_database
from tests.support.homes import child_environ
from tests.support.masters import Masters
from tests.support.waiting import PATIENCE_S

NAMESPACE = "demo-on-both"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Texts with and without headings, links, and one file that is no text."""
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(40):
        heading = f"# Title {number}\n" if number % 3 else ""
        (folder / f"{number:02}.md").write_text(
            f"{heading}words {number} https://example.org/{number}\n" * (number + 1)
        )
    (folder / "bytes.bin").write_bytes(b"\xff\xfe\x00")
    return folder


def demo(home: Path, folder: Path, **settings: str) -> subprocess.Popen[str]:
    environ = child_environ(CLAUDE_COMM_HOME=str(home), CLAUDE_COMM_NAMESPACE=NAMESPACE, **settings)
    command = [sys.executable, "-m", "claude_comm", "demo", str(folder)]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def projection(home: Path) -> dict[str, Any]:
    """Every table, without what differs between any two runs: ids, times, numbers, and how acks were batched."""
    with open_database(home / "claude-comm.db") as database:
        told = {table: Counter(database.rows(query)) for table, query in TABLES.items()}
        return {**told, "events": _events(database), "unreadable": database.rows("SELECT * FROM unreadable")}


# A message is named by what is in it: those of the demo are all different.
TABLES = {
    "messages": "SELECT source, target, type, session != '', agreement, content_type, headers, stream, size_bytes,"
    " data,"
    " (SELECT data FROM messages AS cause WHERE cause.message_id = messages.causation),"
    " (SELECT data FROM messages AS root WHERE root.message_id = messages.correlation), reply_to FROM messages",
    "deliveries": "SELECT source, consumer, status, attempts, reason, path, burials,"
    " (SELECT data FROM messages WHERE messages.message_id = deliveries.message_id) FROM deliveries",
    "module_communications": "SELECT source_module, target_module, message_type, status, session_id != ''"
    " FROM module_communications",
    "session_stats": "SELECT files_processed, errors_encountered, bytes_processed, modules_active FROM session_stats",
    "file_operations": "SELECT operation_type, file_path, status, details FROM file_operations",
    "progress": "SELECT module, task, completed, total FROM progress",
    "counters": "SELECT module, kind, count FROM counters",
    "checkpoints": "SELECT stream, epoch FROM checkpoints",
    "traffic": "SELECT session != 0, s.name, t.name, messages, size_bytes, messages_handled, messages_retrying,"
    " messages_failed, handled, retrying, failed, from_topics"
    " FROM traffic JOIN names AS s ON s.id = source JOIN names AS t ON t.id = target",
    "early_deliveries": "SELECT count(*) FROM early_deliveries",
    "pruned": "SELECT messages, events, deliveries FROM pruned",
    "adapters": "SELECT count(*) FROM adapters",
    "adapted": "SELECT count(*) FROM adapted",
}
# What is read through the views above, and how long deliveries took.
NOT_COMPARED = {
    *("packed_messages", "packed_deliveries", "packed_events", "tracked_communications", "names", "latencies"),
    # Of values and of moments, not of what happened.
    *("packed_shapes", "packed_blocks", "shaped", "surveys", "session_members", "lives", "held"),
}
VIEWS = {"messages", "deliveries", "module_communications", "events"}


def _events(database: Database) -> Counter[Any]:
    """By kind. How many deliveries one event of what was handled tells of is chance; so is whether the last word of a
    module is read."""
    found = database.rows(
        "SELECT module, kind, session != '', count(*) FROM events"
        " WHERE kind NOT IN ('handled', 'done', 'lifecycle') GROUP BY 1, 2"
    )
    return Counter(found)


@pytest.mark.long
def test_the_demo_leaves_the_same_projection_on_three_masters_as_on_one_server(
    home: Path, tmp_path: Path, folder: Path, masters: Masters
) -> None:
    inboxes = [Keys(NAMESPACE).inbox(module) for module in stage.MODULES]
    for inbox, node in zip(inboxes, masters.nodes, strict=True):
        if masters.owner(inbox) is not node:
            masters.move(inbox, node)
    alone, spread = home, tmp_path / "spread"
    runs = [demo(alone, folder), demo(spread, folder, CLAUDE_COMM_URL=masters.url)]
    for ran in runs:
        out, err = ran.communicate(timeout=PATIENCE_S)
        assert (ran.returncode, err) == (0, ""), out
        assert "40 files read, 1 could not be read" in out
        assert "REFUSED as declared in version 1.0.0" in out
    on_one, on_three = projection(alone), projection(spread)
    for table, rows in on_one.items():
        assert on_three[table] == rows, table
    assert sum(on_three["messages"].values()) == 81
    assert sum(on_three["deliveries"].values()) == 81
    assert [node.streams(NAMESPACE) for node in masters.nodes] == [[inbox] for inbox in inboxes]
    left = [name for name in (*worker_processes.WORKERS, "demo") if worker_processes.running(spread, name)]
    assert (left, private_server.answers(private_server.socket_path(spread))) == ([], False)


def test_the_projection_is_compared_whole(tmp_path: Path) -> None:
    """A table that is added one day is compared as well, or named here."""
    with open_database(Settings(home=tmp_path).database) as database:
        names = {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    compared = {*TABLES, "unreadable", "newer", "doubtful"} - VIEWS
    assert {name for name in names if not name.startswith("sqlite_")} == compared | NOT_COMPARED

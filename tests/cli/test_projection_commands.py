"""`projection` and its commands, and `sql`."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from claude_comm import Publisher, Settings
from claude_comm.cli.projection import SAY_EVERY_S, catch_up_lines
from claude_comm.errors import ConfigurationError
from claude_comm.store import export
from tests.support.command_line import Ran

Run = Callable[..., Ran]


@pytest.fixture
def filled(settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CLAUDE_COMM_HOME", str(settings.home))
    monkeypatch.setenv("CLAUDE_COMM_URL", settings.url)
    monkeypatch.setenv("CLAUDE_COMM_NAMESPACE", settings.namespace)
    with Publisher("src", settings=settings) as publisher:
        publisher.publish_many("sink", ["=1+1", {"n": 1}, "plain"])
    return settings


def test_verify_says_yes_and_then_what_is_missing(filled: Settings, run: Run) -> None:
    found = run("projection", "verify", "--json")
    assert found.code == 0
    assert msgspec.json.decode(found.out)["ok"] is True
    assert "nothing is lost, nothing is doubled" in run("projection", "verify").err
    with sqlite3.connect(filled.database) as database:
        database.execute("DELETE FROM packed_messages WHERE number = 2")
    database.close()
    assert run("projection", "verify").code == 1


def test_rebuild_reads_all_and_anew_keeps_the_old_file(filled: Settings, run: Run) -> None:
    assert run("projection", "rebuild").code == 0
    told = msgspec.json.decode(run("projection", "rebuild", "--anew", "--json").out)
    assert Path(told["kept"]).is_file()
    assert len(msgspec.json.decode(run("list", "--json").out)) == 3
    assert run("projection", "verify").code == 0


def test_prune_says_what_went_and_wants_to_be_told_how_much(filled: Settings, run: Run) -> None:
    assert run("projection", "prune").code == 2
    run("list")
    assert msgspec.json.decode(run("projection", "prune", "--keep-days", "1", "--json").out)["messages"] == 0
    assert msgspec.json.decode(run("projection", "prune", "--keep-days", "0", "--json").out)["messages"] == 3
    assert msgspec.json.decode(run("list", "--json").out) == []


def test_a_backup_is_a_database_and_replaces_nothing(filled: Settings, run: Run, tmp_path: Path) -> None:
    run("list")
    assert run("projection", "backup", tmp_path / "copy.db").code == 0
    assert run("projection", "backup", tmp_path / "copy.db").code == 2
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT count(*) FROM messages").fetchall() == [(3,)]
    copy.close()


def test_an_export_holds_every_row_and_no_formula(filled: Settings, run: Run, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("projection", "export", "messages").out)))
    assert [(row["source"], row["target"]) for row in rows] == [("src", "sink")] * 3
    assert [row["data"] for row in rows] == ['"=1+1"', '{"n":1}', '"plain"']
    lines = run("projection", "export", "messages", "--format", "jsonl", "-o", tmp_path / "x.jsonl")
    assert "3 rows" in lines.err
    assert len((tmp_path / "x.jsonl").read_bytes().splitlines()) == 3
    assert run("projection", "export", "names").code == 2


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    out = io.BytesIO()
    assert export.write_csv(iter([{"a": text, "b": -1}]), out) == 1
    assert list(csv.reader(io.StringIO(out.getvalue().decode(), newline="")))[1] == [f"'{text}", "-1"]


def test_parquet_where_pyarrow_is_installed_or_the_way_to_it() -> None:
    out = io.BytesIO()
    try:
        from pyarrow import parquet
    except ImportError:
        with pytest.raises(ConfigurationError, match="pip install pyarrow"):
            export.write_parquet(iter([{"a": 1}]), out)
        return
    assert export.write_parquet(iter([{"a": 1}, {"a": 2}]), out) == 2
    assert parquet.read_table(io.BytesIO(out.getvalue())).to_pylist() == [{"a": 1}, {"a": 2}]


def test_sql_answers_and_refuses(filled: Settings, run: Run) -> None:
    answer = run("sql", "SELECT source, count(*) AS n FROM messages GROUP BY 1", "--json")
    assert msgspec.json.decode(answer.out) == [{"source": "src", "n": 3}]
    assert "first 1 rows" in run("sql", "SELECT number FROM messages", "-n", "1").err
    refused = run("sql", "DELETE FROM packed_messages")
    assert refused.code == 2
    assert "Write a SELECT" in refused.err


def test_catching_up_for_long_says_how_far_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, SAY_EVERY_S / 2, SAY_EVERY_S, SAY_EVERY_S + 0.1])
    progress = catch_up_lines(lambda: next(times))
    for stored in (1_000, 2_000, 3_000):
        progress(stored, 10_000)
    assert capfd.readouterr().err == (
        "bringing the projection up to date: 2,000 of about 10,000 entries, 1,000 a second, 8 s left\n"
    )

"""`module scaffold`: a file that can be registered as it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = {
    "module": "counter",
    "version": "1.0.0",
    "accepts": {"count": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    "replies": {"count": {"type": "integer"}},
}


@pytest.fixture(autouse=True)
def here(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CLAUDE_COMM_HOME", "CLAUDE_COMM_URL", "CLAUDE_COMM_NAMESPACE"):
        monkeypatch.setenv(name, environ[name])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


def test_a_written_file_is_imported_and_registered(run: Any, file: Any, tmp_path: Path) -> None:
    ran = run("module", "scaffold", file(DOCUMENT), "-o", tmp_path / "scaffolded_counter.py")
    assert (ran.code, ran.out) == (0, "")
    assert "accepts count: the same as given, proved both ways." in ran.err
    assert "class Count(Struct, kw_only=True):" in (tmp_path / "scaffolded_counter.py").read_text()
    assert run("module", "register", "scaffolded_counter:module").out.startswith("counter 1.0.0")
    shown = run("module", "show", "counter", "--json").json
    assert shown["replies"]["count"]["type"] == "integer"
    again = run("module", "scaffold", file(DOCUMENT), "-o", tmp_path / "scaffolded_counter.py")
    assert (again.code, "--force" in again.err) == (2, True)
    assert run("module", "scaffold", file(DOCUMENT), "-o", tmp_path / "scaffolded_counter.py", "--force").code == 0


def test_what_is_not_kept_makes_the_command_fail(run: Any, file: Any) -> None:
    ran = run("module", "scaffold", file({**DOCUMENT, "replies": {"count": {"not": {"const": 1}}}}), "--json")
    assert ran.code == 1
    assert [proof["relation"] for proof in ran.json["proved"]] == ["equal", "wider"]
    assert "def handle_count" in ran.json["text"]

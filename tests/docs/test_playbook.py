"""docs/playbook.md has every error, every exit code, and everything that may hold a stream."""

from __future__ import annotations

import importlib
import pkgutil
import re
from types import SimpleNamespace

import claude_comm
from claude_comm.cli.app import ENTRIES
from claude_comm.client.consumer.admission import _hopeless
from claude_comm.delivery.lease import MAX_DELIVERIES
from claude_comm.delivery.retention import Floor, Hold, Projection, words
from claude_comm.errors import ClaudeCommError
from tests.support.homes import PACKAGE, REPOSITORY

PAGE = (REPOSITORY / "docs" / "playbook.md").read_text(encoding="utf-8")
FIRST_CELLS = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")]
STREAM = "ns:{m:a}:inbox"


def kinds(kind: type[ClaudeCommError]) -> set[type[ClaudeCommError]]:
    return {kind, *(found for child in kind.__subclasses__() for found in kinds(child))}


def test_every_error_has_a_row_and_every_row_is_an_error() -> None:
    for module in pkgutil.walk_packages(claude_comm.__path__, "claude_comm."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    every = {kind.__name__ for kind in kinds(ClaudeCommError) if kind.__module__.startswith("claude_comm.")}
    every -= {"ClaudeCommError"}
    rows = [cell.strip("`") for cell in FIRST_CELLS if re.fullmatch(r"`[A-Z][A-Za-z]+`", cell)]
    assert sorted(rows) == sorted(every), "docs/playbook.md: a row for each error"


def test_every_exit_code_has_a_row() -> None:
    codes = {kind.exit_code for kind in kinds(ClaudeCommError)} | {0, 4, 130}
    assert codes <= {int(cell) for cell in FIRST_CELLS if cell.isdigit()}


def test_everything_that_may_hold_a_stream_has_a_row() -> None:
    script = (PACKAGE / "ops" / "lua" / "trim.lua").read_text(encoding="utf-8")
    named = set(re.findall(r"'(pending|undelivered|unread|moved|projection|empty)'", script))

    def projection(stored: str, *, unreadable: bool = False) -> Floor:
        odd = frozenset({STREAM} if unreadable else ())
        return Floor("0-0", Projection("NAME", 0, {STREAM: stored}, {}, unreadable=odd))

    held = [
        *(words(Hold(kind, "NAME"), STREAM, None, now_ms=0) for kind in ("pending", "undelivered", "unread", "moved")),
        words(Hold("floor"), STREAM, None, now_ms=0),
        words(Hold("floor"), STREAM, projection("0-0"), now_ms=0),
        words(Hold("floor"), STREAM, projection("5-0"), now_ms=0),
        words(Hold("floor"), STREAM, projection("0-0", unreadable=True), now_ms=0),
    ]
    for sentence in held:
        assert sentence.replace("reported 0 s ago", "reported N s ago") in FIRST_CELLS
    assert {"pending", "undelivered", "unread", "moved"} <= named


def test_the_reasons_of_burials_are_those_that_are_given() -> None:
    killer = SimpleNamespace(expired=lambda: False, entry=SimpleNamespace(deliveries=MAX_DELIVERIES + 1))
    late = SimpleNamespace(expired=lambda: True)
    for delivery in (killer, late):
        reason = re.sub(r"\d+", "N", _hopeless(delivery))  # type: ignore[arg-type]
        assert f"`{reason}`" in FIRST_CELLS


def test_every_command_that_the_page_names_is_one() -> None:
    named = set(re.findall(r"`(?:claude-comm )?((?:dead|module|projection|blobs|schema) [a-z]+)", PAGE))
    assert named
    assert named <= ENTRIES.keys()

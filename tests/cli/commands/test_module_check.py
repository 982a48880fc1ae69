"""`module check`: a module held to its own contract at length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claude_comm.client.module.self_check import ContractNotKept

LOOSE = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
MODULE = """
from datetime import datetime
import msgspec
from claude_comm import Module

module = Module("sink")

class Event(msgspec.Struct):
    at: datetime

@module.handles("event"{accepts})
def event(payload: Event) -> None: ...
"""


def test_module_check_says_whether_every_message_is_taken(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "kept.py"
    file.write_text(MODULE.format(accepts=""), encoding="utf-8")
    ran = run("module", "check", str(file))
    assert ran.code == 0, ran
    assert "messages decoded" in ran.out


def test_module_check_names_the_messages_that_are_refused(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(MODULE.format(accepts=f", accepts={LOOSE!r}"), encoding="utf-8")
    with pytest.warns(ContractNotKept):
        ran = run("module", "check", str(file), "--json")
    assert ran.code == 1
    (told,) = json.loads(ran.out)
    assert told["kept"] is False
    assert told["examples"][0]["message"] == {"at": ""}

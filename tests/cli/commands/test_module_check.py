"""`module check`: a module held to its own contract at length."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claude_comm.client.module.self_check import ContractNotKept

MODULE = """
import pydantic
from claude_comm import Module

module = Module("sink")

class Event(pydantic.BaseModel):
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def positive(cls, value: int) -> int:
        assert value > 0
        return value

@module.handles("event", accepts={{"type": "object", "properties": {{"n": {n}}}, "required": ["n"]}})
def event(payload: Event) -> None: ...
"""


def test_module_check_says_whether_every_message_is_taken(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "kept.py"
    file.write_text(MODULE.format(n={"type": "integer", "minimum": 1}), encoding="utf-8")
    ran = run("module", "check", str(file))
    assert ran.code == 0, ran
    assert "messages decoded" in ran.out


def test_module_check_names_the_messages_that_are_refused(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(MODULE.format(n={"type": "integer"}), encoding="utf-8")
    with pytest.warns(ContractNotKept):
        ran = run("module", "check", str(file), "--json")
    assert ran.code == 1
    (told,) = json.loads(ran.out)
    assert told["kept"] is False
    assert told["examples"][0]["message"] == {"n": 0}

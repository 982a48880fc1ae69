"""`--document`: schemas that others refer to, by address and file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.command_line import Ran

COMMON = "https://example.com/common.json"
ORDER = {"type": "object", "properties": {"id": {"$ref": COMMON}}, "required": ["id"]}
SCHEMAS = {"order": ORDER, "texts": {"properties": {"id": {"type": "string"}}}, "common": {"type": "integer"}}


def test_a_reference_leads_to_the_file_that_was_given(run: Callable[..., Ran], tmp_path: Path) -> None:
    for name, schema in SCHEMAS.items():
        (tmp_path / name).write_text(json.dumps(schema), encoding="utf-8")
    order, texts = tmp_path / "order", tmp_path / "texts"
    given = ("--document", f"{COMMON}={tmp_path / 'common'}")
    assert run("check", order, order).code == 2
    assert run("check", order, order, *given).code == 0
    assert run("check", order, texts, *given).code == 1
    assert run("schema", "explain", order, texts, *given).code == 1
    assert run("schema", "diff", order, order, *given).code == 0
    assert run("schema", "adapt", order, order, *given).code == 0
    assert run("check", order, texts, "--document", "no-sign").code == 2


def test_a_line_of_a_batch_has_its_own(run: Callable[..., Ran], tmp_path: Path) -> None:
    line = {"id": 1, "sub": ORDER, "sup": SCHEMAS["texts"], "documents": {COMMON: {"type": "string"}}}
    (tmp_path / "pairs").write_text(json.dumps(line), encoding="utf-8")
    assert run("check", "--batch", tmp_path / "pairs").code == 0
    assert run("check", "--batch", tmp_path / "pairs", "--document", f"{COMMON}=x").code == 2

"""The page about values: what its table says of a Python value is what is sent, and its Python runs."""

from __future__ import annotations

import datetime as dt
import enum
import re
import uuid
from collections import deque
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from claude_comm import Module, Settings
from claude_comm.json_form import json_form, written
from tests.support.homes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "values.md").read_text(encoding="utf-8")


class Color(enum.Enum):
    RED = "r"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (b"hi", "aGk="),
        (bytearray(b"hi"), "aGk="),
        pytest.param(memoryview(b"hi"), "aGk=", id="memoryview"),
        (dt.datetime(2020, 2, 29, 1, 2, 3, tzinfo=dt.UTC), "2020-02-29T01:02:03Z"),
        (dt.date(2020, 2, 29), "2020-02-29"),
        (dt.timedelta(days=1, seconds=5), "P1DT5S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), "1.50"),
        (Color.RED, "r"),
        ({1}, [1]),
        ((1, 2), [1, 2]),
        ({1: "a"}, {"1": "a"}),
    ],
    ids=repr,
)
def test_a_value_has_the_form_of_the_table(value: Any, form: Any) -> None:
    assert msgspec.msgpack.decode(written(json_form(value))) == form


def test_the_table_names_no_type_that_has_no_form() -> None:
    with pytest.raises(Exception, match="deque"):
        json_form(deque([1]))
    assert "deque" not in PAGE


def test_the_python_on_the_page_runs(settings: Settings) -> None:
    Order = msgspec.defstruct("Order", [("n", int)])  # noqa: N806
    scope = {"module": Module("shop", settings=settings), "Order": Order}
    for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(code, "values.md", "exec"), scope)
    assert scope["module"].contract().accepts["order"]  # type: ignore[attr-defined]

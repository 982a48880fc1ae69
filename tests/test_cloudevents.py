"""Payloads as JSON: what cannot be carried is told from what only looks like it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from claude_comm.cloudevents import json_of

# An integer whose bytes are those of an infinite float.
LOOKS_INFINITE = 0x00CB_7FF0_0000_0000


@pytest.mark.parametrize(
    "payload",
    [
        LOOKS_INFINITE,
        {"n": LOOKS_INFINITE, "l": [1.5, "x", None]},
        [LOOKS_INFINITE, {"a": 0.5}],
        {"n": {"m": [LOOKS_INFINITE]}},
    ],
)
def test_bytes_that_look_like_no_number_are_looked_at(payload: Any) -> None:
    text = json_of(msgspec.msgpack.encode(payload))
    assert text is not None
    assert msgspec.json.decode(text) == payload


@pytest.mark.parametrize("payload", [math.inf, [1, math.nan], {"a": {"b": -math.inf}}])
def test_what_is_not_finite_is_no_json(payload: Any) -> None:
    assert json_of(msgspec.msgpack.encode(payload)) is None

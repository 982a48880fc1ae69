"""Lengths of time as they are typed on a command line."""

from __future__ import annotations

import re

import typer

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_TYPED = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|m|min|h|d|w)?")


def seconds(text: str) -> float:
    """`90`, `90s`, `15m`, `1.5h`, `7d` or `2w` in seconds. Raises typer.BadParameter."""
    typed = _TYPED.fullmatch(text.strip())
    if typed is None:
        raise typer.BadParameter(f"{text!r} is no length of time: write 90s, 15m, 1h, 7d or 2w.")
    return float(typed[1]) * _UNITS_S[typed[2] or "s"]

"""The address of a page: its filters, read; and the addresses of pages beside it, written.

Law: everything that a page shows by choice stands in its address, so that every view can be linked to. What cannot be
read in an address counts as not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

# How the ranges of time are named in an address, in seconds.
RANGES = {"15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
MAX_DIGITS = 15
PREFIX = "/ui"


class PageAddress:
    """One address: its path, quoted, and what follows it."""

    def __init__(self, path: str, given: Mapping[str, str], parts: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._given = {name: value for name, value in given.items() if value}
        self._parts = dict(parts or {})

    def text(self, name: str, default: str = "") -> str:
        """What was given under that name."""
        return self._given.get(name, default).strip()

    def part(self, name: str) -> str:
        """A part of the path, such as the name of a module."""
        return self._parts[name]

    def number(self, name: str, default: int = 0) -> int:
        """A whole number that is not negative."""
        given = self.text(name)
        return int(given) if given.isascii() and given.isdigit() and len(given) <= MAX_DIGITS else default

    def flag(self, name: str) -> bool:
        return self.text(name) in ("1", "on", "true")

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of these; the first where none of them is given."""
        given = self.text(name)
        return given if given in choices else choices[0]

    def range_s(self, default: str = "") -> int:
        """The range of time that is asked for, else that of `default`; 0 for all time."""
        return RANGES.get(self.text("range")) or RANGES.get(default, 0)

    def has(self, *names: str) -> bool:
        return any(name in self._given for name in names)

    def here(self, **changes: object) -> str:
        """This address with other values; what is empty is left out."""
        return to(self.path, **{**self._given, **changes})


def to(path: str, /, **given: object) -> str:
    """The address of a page; `path` is quoted already."""
    values = {name: str(int(value) if isinstance(value, bool) else value) for name, value in given.items() if value}
    return f"{path}?{urlencode(values)}" if values else path


def link(*parts: object, **given: object) -> str:
    """The address of a page of the dashboard: `link("messages", 7)`."""
    return to("/".join([PREFIX, *(quote(str(part), safe="") for part in parts)]), **given)

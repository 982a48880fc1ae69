"""A view that is drawn anew several times a second, on a screen of its own.

Law: how often it is drawn does not depend on how much happens. The screen and the terminal come back as they were.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from claude_comm.escaping import clean
from claude_comm.runtime.signals import ended_by_signals
from claude_comm.terminal.keys import KeyReader, reading_keys
from claude_comm.terminal.tables import Column, table

# Keys that end every view: q, Escape, and Ctrl-C where the terminal hands it on as a key.
QUIT = frozenset(("q", "Q", "\x1b", "\x03"))


class Screen:
    """The whole terminal, drawn from the top."""

    def __init__(self, live: Any, keys: KeyReader) -> None:
        self._live, self._keys = live, keys

    @property
    def width(self) -> int:
        return shutil.get_terminal_size().columns

    @property
    def height(self) -> int:
        return shutil.get_terminal_size().lines

    def wait(self, seconds: float) -> str:
        """The key that is pressed within that time; empty for none."""
        return self._keys.wait(seconds)

    def title(self, text: str, *, style: str = "bold") -> Any:
        """One line."""
        from rich.text import Text

        return Text(clean(text), style=style, no_wrap=True, overflow="ellipsis")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> Any:
        """As wide as the screen."""
        return table(columns, [[clean(cell) for cell in row] for row in rows], self.width)

    def draw(self, parts: Sequence[Any], footer: str) -> None:
        """These parts from the top, and one line at the bottom."""
        from rich.console import Group
        from rich.layout import Layout

        layout = Layout()
        foot = Layout(self.title(footer, style="reverse"), size=1)
        layout.split_column(Layout(Group(*parts)), foot)
        self._live.update(layout, refresh=True)


@contextmanager
def live_screen() -> Iterator[Screen]:
    """A screen for as long as the block lasts."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    with ended_by_signals(), reading_keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        yield Screen(live, keys)


def leave(parts: Sequence[Any]) -> None:
    """Writes these parts to the terminal, where they stay when the screen has gone."""
    from rich.console import Console

    console = Console(highlight=False)
    for part in parts:
        console.print(part)

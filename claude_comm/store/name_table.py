"""Names as numbers: each text that many rows repeat stands once in the table `names`.

Law: a name's number never changes and is never given to another, so that it may be remembered; but what a transaction
added counts only once it was committed. 0 is the empty text.
"""

from __future__ import annotations

from collections.abc import Iterable

from claude_comm.store.statements import Writer, insert_rows, select_with

# Modules, types and streams are few; sessions are not. Beyond this many, all are forgotten and read again.
MAX_REMEMBERED = 100_000


class NameTable:
    """The numbers of names, remembered for one connection."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}

    def numbers(self, writer: Writer, names: Iterable[str]) -> dict[str, int]:
        """The number of each of these names, and perhaps of others: those that are new get one."""
        wanted = set(names)
        missing = [(name,) for name in wanted.difference(self._numbers)]
        if missing:
            if len(self._numbers) > MAX_REMEMBERED:
                self.forget()
                missing = [(name,) for name in wanted.difference(self._numbers)]
            insert_rows(writer, "names", "name", missing, "ON CONFLICT (name) DO NOTHING")
            self._numbers.update(
                select_with(
                    writer, "wanted", "name", missing, "SELECT n.name, n.id FROM wanted JOIN names AS n USING (name)"
                )
            )
        return self._numbers

    def texts(self, writer: Writer, numbers: Iterable[int]) -> dict[int, str]:
        """The names with these numbers."""
        wanted = [(number,) for number in set(numbers)]
        return dict(
            select_with(writer, "wanted", "id", wanted, "SELECT n.id, n.name FROM wanted JOIN names AS n USING (id)")
        )

    def forget(self) -> None:
        """After a transaction that was undone."""
        self._numbers = {"": 0}

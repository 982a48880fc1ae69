"""The full-text index of the demo: SQLite FTS5, one file in the home folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from claude_comm.demo.shapes import Finding
from claude_comm.runtime.home import make_private_file, private_folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, session TEXT, path TEXT, UNIQUE (session, path));
CREATE VIRTUAL TABLE IF NOT EXISTS pages USING fts5 (path UNINDEXED, title, text);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5vocab (pages, row);
"""
_SEARCH = """
SELECT path, title, snippet(pages, 2, '', '', ' … ', 12) FROM pages
WHERE pages MATCH ? ORDER BY rank LIMIT ?
"""
# Words worth searching for: long, and in more than one page.
_TELLING = """
SELECT term FROM words WHERE length(term) > 6 AND term GLOB '[a-z]*' AND doc > 1 ORDER BY doc DESC, term LIMIT ?
"""


class Hit(NamedTuple):
    path: str
    title: str
    excerpt: str


class Index:
    """The index in one file, which it makes where it is missing."""

    def __init__(self, path: Path) -> None:
        private_folder(path.parent)
        make_private_file(path)
        self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def add(self, session: str, finding: Finding) -> int:
        """Adds a page, in place of the same one where it is there already; how many pages the session has now."""
        identity = (session, finding.path)
        self._connection.execute("INSERT OR IGNORE INTO entries (session, path) VALUES (?, ?)", identity)
        self._connection.execute(
            "INSERT OR REPLACE INTO pages (rowid, path, title, text)"
            " SELECT id, path, ?, ? FROM entries WHERE session = ? AND path = ?",
            (finding.title, finding.text, *identity),
        )
        (count,) = self._connection.execute("SELECT count(*) FROM entries WHERE session = ?", (session,)).fetchone()
        return int(count)

    def clear(self) -> None:
        """Removes what earlier runs have indexed."""
        self._connection.executescript("DELETE FROM pages; DELETE FROM entries;")

    def search(self, query: str, limit: int = 3) -> list[Hit]:
        """The best pages for an FTS5 query."""
        return [Hit(*row) for row in self._connection.execute(_SEARCH, (query, limit))]

    def telling_words(self, limit: int) -> list[str]:
        """The long words that most pages share."""
        return [word for (word,) in self._connection.execute(_TELLING, (limit,))]

    def close(self) -> None:
        self._connection.close()


def path_in(home: Path) -> Path:
    return home / "demo" / "index.db"

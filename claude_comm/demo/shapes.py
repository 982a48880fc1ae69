"""The messages of the three modules of the demo.

`Draft` is what the extractor declared at first: its title may be null, which the indexer does not accept.
"""

from __future__ import annotations

import msgspec

READER, EXTRACTOR, INDEXER = "demo-reader", "demo-extractor", "demo-indexer"
SCAN, PAGE, FINDING = "scan", "page", "finding"

# The tasks by which the modules report how far they are.
READING, SENT, INDEXING = "reading", "pages sent", "indexing"


class Scan(msgspec.Struct):
    """Read these files, named by `file:` URIs: a file's name need not be text."""

    files: list[str]


class PageText(msgspec.Struct):
    """The text of one file; `pages` is how many of them the scan has."""

    path: str
    text: str
    pages: int


class Draft(msgspec.Struct):
    """What was found in one page, as the extractor first declared it."""

    path: str
    words: int
    headings: list[str]
    links: list[str]
    text: str
    pages: int
    title: str | None = None


class Finding(msgspec.Struct):
    """What was found in one page: as declared after the fix, every finding has a title."""

    path: str
    title: str
    words: int
    headings: list[str]
    links: list[str]
    text: str
    pages: int

"""The second module of the demo: finds headings, links and words in a page."""

from __future__ import annotations

import re
from pathlib import PurePath

from claude_comm.client.module.context import Context
from claude_comm.client.module.module import Module
from claude_comm.demo.shapes import EXTRACTOR, FINDING, INDEXER, PAGE, Draft, Finding, PageText

_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)
_LINK = re.compile(r"https?://[^\s<>\"')\]]{1,500}")
_WORD = re.compile(r"\w+")
# Headings or links of one page; a page of nothing but links is cut here.
_MAX_FOUND = 200

module = Module(EXTRACTOR, version="1.1.0")
module.produces(FINDING, Finding, target=INDEXER)

# As it was declared first: a page without a heading has no title.
draft = Module(EXTRACTOR, version="1.0.0")
draft.produces(FINDING, Draft, target=INDEXER)


@draft.handles(PAGE)
@module.handles(PAGE)
def extract(page: PageText, context: Context) -> None:
    headings = [heading.strip()[:200] for heading in _HEADING.findall(page.text)[:_MAX_FOUND]]
    finding = Finding(
        path=page.path,
        # The fix: where there is no heading, the end of the path is the title.
        title=headings[0] if headings else "/".join(PurePath(page.path).parts[-2:]),
        words=len(_WORD.findall(page.text)),
        headings=headings,
        links=_LINK.findall(page.text)[:_MAX_FOUND],
        text=page.text,
        pages=page.pages,
    )
    context.send(INDEXER, finding, type=FINDING)

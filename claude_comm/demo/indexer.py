"""The third module of the demo: puts findings into a full-text index."""

from __future__ import annotations

from claude_comm.client.module.context import Context
from claude_comm.client.module.module import Module
from claude_comm.demo.index import Index, path_in
from claude_comm.demo.shapes import FINDING, INDEXER, INDEXING, Finding
from claude_comm.runtime.environment import settings_of_process

_REPORT_EVERY = 10

module = Module(INDEXER)
_opened: list[Index] = []


@module.on_start
def begin(_context: Context) -> None:
    _opened.append(Index(path_in(settings_of_process().home)))


@module.handles(FINDING)
def add(finding: Finding, context: Context) -> None:
    (index,) = _opened
    done = index.add(context.session, finding)
    if done % _REPORT_EVERY == 0 or done == finding.pages:
        context.progress(INDEXING, done, finding.pages)

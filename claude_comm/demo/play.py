"""The demo from its first word to its last."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from claude_comm.client.communicator.communicator import ModuleCommunicator
from claude_comm.client.identity import micros
from claude_comm.client.publisher.publisher import Publisher
from claude_comm.demo import corpus, show, stage
from claude_comm.demo.extractor import draft
from claude_comm.demo.extractor import module as extractor
from claude_comm.demo.index import Index, path_in
from claude_comm.demo.indexer import module as indexer
from claude_comm.demo.reader import module as reader
from claude_comm.demo.shapes import EXTRACTOR, FINDING, INDEXER, PAGE, READER, SCAN, Draft, Finding, PageText, Scan
from claude_comm.demo.stage import DemoFailed
from claude_comm.errors import NegotiationRefused
from claude_comm.names import Keys
from claude_comm.ops import registration
from claude_comm.runtime import worker_processes
from claude_comm.runtime.signals import deferred_signals
from claude_comm.settings import Settings
from claude_comm.store import queries
from claude_comm.store.activity import hops
from claude_comm.store.catch_up import caught_up
from claude_comm.store.database import Database, open_database
from claude_comm.store.statistics import session_snapshot
from claude_comm.transport.connect import connect
from claude_comm.transport.driver import Client

# The whole demo is to end within a minute.
RUN_TIMEOUT_S = 45.0
_LOOK_S = 0.15


def play(settings: Settings, folder: Path | None) -> None:
    """Negotiates, runs, shows the outcome. Raises DemoFailed, or what its parts raise."""
    paths = corpus.files(folder)
    session = stage.new_session()
    with (
        deferred_signals() as check,
        worker_processes.claim(settings, "demo"),
        stage.surroundings(settings),
        connect(settings) as client,
        open_database(settings.database) as database,
    ):
        show.opening(settings, len(paths), folder)
        _negotiate(settings, client)
        check()
        elapsed_s = _run(settings, client, database, session, paths, check)
        caught_up(client, database, settings)
        show.summary(session_snapshot(database, session), hops(database, session), elapsed_s)
        tried = queries.file_operations(database, session=session)
        show.unreadable([file for file in tried if file.status == "failed"])
        first = queries.messages(database, session=session)[-1]
    index = Index(path_in(settings.home))
    show.searches(index, whose=folder)
    index.close()
    show.closing(session, first.number)


def _negotiate(settings: Settings, client: Client) -> None:
    """Negotiates hop by hop, before anything is sent: the first declaration of one hop does not fit."""
    keys = Keys(settings.namespace)
    for module in (reader, draft, indexer):
        client.run(registration.register(keys, module.contract()))
    show.heading("1. The modules declare what they send and accept, and negotiate every hop")
    with Publisher(READER, settings=settings, client=client) as publisher:
        show.agreed(publisher.negotiate(EXTRACTOR, PageText, type=PAGE))
    with Publisher(EXTRACTOR, settings=settings, client=client) as publisher:
        try:
            publisher.negotiate(INDEXER, Draft, type=FINDING)
        except NegotiationRefused as refused:
            show.refused(refused, draft.version)
        else:
            raise DemoFailed("the first contract of the extractor should have been refused.")
        client.run(registration.register(keys, extractor.contract()))
        show.fixed(extractor.version)
        show.agreed(publisher.negotiate(INDEXER, Finding, type=FINDING))


def _run(
    settings: Settings, client: Client, database: Database, session: str, paths: list[Path], check: Callable[[], None]
) -> float:
    """Seconds from the first message to the last settled one."""
    show.heading(f"2. Three processes, {len(paths)} files, session {session}")
    index = Index(path_in(settings.home))
    index.clear()
    index.close()
    with (
        ModuleCommunicator("demo", settings=settings) as communicator,
        stage.modules(settings, client, check) as processes,
        show.live(len(paths)) as display,
        communicator.session(session),
    ):
        started_us = micros()
        communicator.send_message("demo", READER, Scan([corpus.uri(path) for path in paths]), type=SCAN)
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while True:
            check()
            stage.require_alive(settings, processes)
            progress = stage.look(settings, client, database, session, len(paths))
            display(progress)
            if progress.done:
                return (micros() - started_us) / 1e6
            if time.monotonic() > deadline:
                raise DemoFailed(
                    f"not done after {RUN_TIMEOUT_S:.0f} s: {progress.indexed} of {len(paths)} files indexed. "
                    "Give a smaller folder; `claude-comm status` shows what is waiting."
                )
            time.sleep(_LOOK_S)

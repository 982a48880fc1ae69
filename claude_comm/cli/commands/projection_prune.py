"""The command `projection prune`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from claude_comm.cli.options import AsJson
from claude_comm.cli.projection import opened
from claude_comm.errors import ConfigurationError, TransportError
from claude_comm.impact.sensitive import EVERYTHING
from claude_comm.names import Keys
from claude_comm.runtime.environment import settings_of_process
from claude_comm.settings import Settings
from claude_comm.store.database import Database
from claude_comm.store.retention import prune, used_bytes
from claude_comm.store.shape_marks import marks_of
from claude_comm.store.shapes import Folder
from claude_comm.terminal import formats
from claude_comm.terminal.output import emit, emit_json
from claude_comm.transport.connect import connect


def command(
    keep_days: Annotated[
        float | None, typer.Option("--keep-days", min=0, help="Keep messages sent in the last so many days.")
    ] = None,
    max_bytes: Annotated[
        int | None,
        typer.Option("--max-bytes", min=0, help="Remove the oldest messages until the rest takes at most this."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove old messages now, and keep the totals.

    Without options, the settings projection_keep_s and projection_max_bytes decide, as in the worker.
    """
    settings = settings_of_process()
    keep_s = settings.projection_keep_s if keep_days is None else keep_days * 86_400
    most = settings.projection_max_bytes if max_bytes is None else max_bytes
    if not keep_s and keep_days is None and not most:
        raise ConfigurationError("nothing says how much to keep: give --keep-days or --max-bytes, or set a setting.")
    before_us = time.time_ns() // 1000 - int(keep_s * 1e6) if keep_s or keep_days is not None else 0
    with opened(settings) as database:
        _fold_shapes(settings, database)
        removed = prune(database, before_us=max(before_us, 0), max_bytes=most)
        left = used_bytes(database)
    if as_json:
        emit_json(
            {"messages": removed.messages, "deliveries": removed.deliveries, "events": removed.events, "bytes": left}
        )
    else:
        emit(
            f"{removed.messages:,} messages and {removed.events:,} events removed; the rest takes {formats.size(left)}"
        )


def _fold_shapes(settings: Settings, database: Database) -> None:
    """Folds stored messages into shapes. Without a server nobody knows what is sensitive: then everything is."""
    try:
        with connect(settings) as client:
            Folder(database, marks_of(client, Keys(settings.namespace))).all()
    except TransportError:
        Folder(database, lambda _flow: EVERYTHING).all()

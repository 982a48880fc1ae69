"""The group position: where a module's consumer group begins in a stream.

Law: a missing group begins at the first entry that the module is not known to have handled. Known is what the
projection of this host has stored about the messages that the stream holds now; without a projection, and for a
module that never handled a message, that is the first entry of all. No unhandled entry is ever skipped.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_comm.client.identity import Identity
from claude_comm.delivery.dedup import Identity as Message
from claude_comm.effects import Operation
from claude_comm.errors import StoreError
from claude_comm.ops import resume
from claude_comm.ops.resume import BEGINNING
from claude_comm.store import queries
from claude_comm.store.database import Database, open_database
from claude_comm.telemetry.logs import get_logger


def find_position(identity: Identity, stream: str) -> Operation[str]:
    """The id after which the group reads: it was lost (a failover, a restore), or never existed."""
    if not identity.settings.database.exists():
        return BEGINNING
    log = get_logger(identity.settings.log_level, module=identity.module, instance=identity.instance)
    try:
        with open_database(identity.settings.database) as database:
            position = yield from _handled_below(database, identity, stream)
    except StoreError as error:
        log.warning("group.position_unknown", stream=stream, error=str(error))
        return BEGINNING
    if position != BEGINNING:
        log.warning("group.made_anew", stream=stream, after=position)
    return position


def _handled_below(database: Database, identity: Identity, stream: str) -> Operation[str]:
    def settled(messages: Sequence[Message]) -> set[Message]:
        return queries.settled_by(database, identity.module, messages)

    if not queries.has_settled(database, identity.module):
        return BEGINNING
    return (yield from resume.position(stream, settled, max_bytes=identity.settings.max_envelope_bytes))

"""Administrative acts, done and written into the audit: what the command line, the gateway and agents share.

Law: an act is audited whether it succeeded or not, before its answer goes out. A dry run is no act.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from claude_comm.client.identity import micros
from claude_comm.errors import ClaudeCommError
from claude_comm.names import Keys
from claude_comm.ops import audit
from claude_comm.registry.audit import Act
from claude_comm.transport.driver import Client

T = TypeVar("T")


def act(verb: str, target: str, by: str, detail: str = "") -> Act:
    """An act of now: `by` is the name that the door knows its caller by."""
    return Act(act=verb, target=target, by=by, at_us=micros(), detail=detail)


def recorded(client: Client, keys: Keys, act: Act, work: Callable[[], T], outcome: Callable[[T], str]) -> T:
    """Does the work, and writes down that it was done, with its outcome in words, or how it failed. Raises what the
    work raises."""
    try:
        done = work()
    except ClaudeCommError as error:
        client.run(audit.write(keys, msgspec.structs.replace(act, outcome=str(error), failed=True)))
        raise
    client.run(audit.write(keys, msgspec.structs.replace(act, outcome=outcome(done))))
    return done

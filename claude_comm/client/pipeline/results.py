"""What came out of a run, as JSON has it."""

from __future__ import annotations

import msgspec

from claude_comm.cloudevents import shown
from claude_comm.envelope import pack
from claude_comm.pipeline.tally import Ended, Finished


def as_json(ended: Ended) -> Ended:
    """With a result that JSON has: bytes, and numbers that are none, as all commands show them."""
    return msgspec.structs.replace(ended, result=shown(pack(ended.result))) if isinstance(ended, Finished) else ended

"""The sums of all pairs, as a view of what goes on samples them."""

from __future__ import annotations

from claude_comm.progress.load import LoadSample, PairSums
from claude_comm.store.database import Database

_PAIRS = """
SELECT s.name, t.name, x.messages, x.handled, x.failed, x.latency_us, x.retrying
FROM traffic AS x JOIN names AS s ON s.id = x.source JOIN names AS t ON t.id = x.target WHERE x.session = 0
"""


def load_sample(database: Database, at_s: float) -> LoadSample:
    """Costs a row per pair, however many messages there are."""
    return LoadSample(at_s, {(row[0], row[1]): PairSums(*row[2:]) for row in database.rows(_PAIRS)})

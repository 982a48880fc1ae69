"""Flows: every sender and receiver with what went between them and how long it took."""

from __future__ import annotations

import msgspec

from claude_comm.charts.sankey import FlowLink, sankey
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.store.statistics import PairStatistics, pair_statistics

# Pairs whose percentiles are read: the slowest by their mean, which the sums have.
PAIRS = 100
_DRAWN = 40


class FlowRow(msgspec.Struct, frozen=True):
    """One sender and receiver: all that was ever stored of it, and what it does now."""

    statistics: PairStatistics
    per_s: float | None
    now_ms: float | None

    @property
    def p95_ms(self) -> float:
        return self.statistics.latency.p95_ms if self.statistics.latency else 0.0


class Flows(msgspec.Struct, frozen=True):
    sort: str
    hops: list[FlowRow]
    more: int
    chart: str


SORTS = ("slow", "busy", "failed")


def view(system: System, query: PageAddress) -> Flows:
    sort = query.choice("sort", SORTS)
    loads = system.load.hops
    chosen = sorted(loads, key=lambda hop: -(hop.mean_ms or 0))[:PAIRS]
    hops = [FlowRow(pair_statistics(system.database, hop.source, hop.target), hop.per_s, hop.mean_ms) for hop in chosen]
    orders = {
        "slow": lambda hop: (-hop.p95_ms, hop.statistics.source),
        "busy": lambda hop: (-hop.statistics.count, hop.statistics.source),
        "failed": lambda hop: (-hop.statistics.failed, hop.statistics.source),
    }
    hops.sort(key=orders[sort])
    flows = [FlowLink(hop.statistics.source, hop.statistics.target, hop.statistics.count, "messages") for hop in hops]
    busiest = sorted(flows, key=lambda flow: -flow.value)[:_DRAWN]
    chart = sankey(busiest, label="Messages from module to module") if busiest else ""
    return Flows(sort, hops, len(loads) - len(hops), chart)

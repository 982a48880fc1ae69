"""What a run is: who takes part, which faults at which rate, from which seed."""

from __future__ import annotations

import msgspec

# Faults and how often each is drawn, in shares. What they strike is drawn as well.
FAULTS = {
    "kill publisher": 5,
    "kill consumer": 7,
    "kill projection": 4,
    "kill janitor": 2,
    "kill server": 3,
    "stop publisher": 2,
    "stop consumer": 3,
    "stop projection": 2,
    "stop janitor": 1,
    "stop server": 3,
    "cut": 4,
    "tear request": 2,
    "tear reply": 4,
    "stall": 2,
    # No memory left on the server; no space left for a projection; a database that another process holds.
    "fill server": 2,
    "fill projection": 2,
    "lock projection": 2,
    "lock outbox": 2,
    # A connection whose other end is gone without a word.
    "half-open": 2,
    # A server that is a replica for a while; one that cannot write its snapshots; one that is emptied when all was
    # handled and stored; a planned failover, the address following a moment later.
    "demote server": 2,
    "jam server": 2,
    "flush server": 1,
    "replace server": 2,
    # Asked to end, and started again at any moment, whatever the server is just then.
    "end publisher": 2,
    "end consumer": 3,
    "end projection": 2,
    "end janitor": 1,
    "end negotiation": 1,
    "kill negotiation": 1,
    "stop negotiation": 1,
}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Rates are a second, of all faults together and of each publisher."""

    seconds: float = 60.0
    seed: int = 1
    fsync: str = "always"
    faults: dict[str, int] = msgspec.field(default_factory=lambda: dict(FAULTS))
    faults_per_s: float = 3.0
    entries_per_s: float = 3.0
    messages_per_s: float = 50.0
    publishers: int = 3
    consumers: tuple[str, ...] = ("solo", "pool", "news")
    projections: int = 2
    janitor: bool = True
    # How long what is done stays in its stream: short, so that a run trims much; longer than an outbox looks for a
    # receipt (`outboxed.SETTLE_S` and a review), or each message is sent once more.
    keep_s: float = 8.0
    # How many of the publishers have an outbox; with the others the server alone keeps what it confirmed.
    outboxes: int = 2
    # Modules of one instance, which handle in order.
    ordered: tuple[str, ...] = ("solo",)
    # Those that are a `Consumer` in a loop of their own; the others are a `Module`.
    bare: tuple[str, ...] = ("news",)
    # A second server that follows the first one and takes its place. All children then talk over the link.
    replica: bool = False
    negotiation: bool = False
    # All that takes part starts at any moment of so many seconds, the server as well.
    late_s: float = 0.0
    # How many copies of messages, and how many bad entries, a run waits for.
    least_entries: int = 0
    # A defect put in on purpose, see `tamper`; and whether the consumers start once every publisher has published.
    control: str = ""
    consumers_last: bool = False
    slow_ms: float = 0.0
    # Children by name, the point at which each dies (see `tamper`), and in how many of their first lives.
    dies: dict[str, str] = {}
    deaths: int = 3
    # Children by name whose clock is wrong: seconds ahead, or SECONDS/EVERY for one that jumps there and back.
    clocks: dict[str, str] = {}
    # How long after the last fault everything may take to work again, and how long to come to rest.
    back_s: float = 10.0
    rest_s: float = 90.0

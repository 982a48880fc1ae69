"""Dead letters: buried messages by reason and place, whether they would pass now, and putting them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import msgspec

from claude_comm.client import dead_letters
from claude_comm.client.dead_letters import judged, redrive, walk
from claude_comm.cloudevents import shown
from claude_comm.delivery.burial import Burial, DeadGroup, Where, groups, pattern
from claude_comm.delivery.recheck import Judge, Rejection
from claude_comm.errors import ClaudeCommError
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.names import check_name
from claude_comm.ops import dead, registry

# Burials that a page looks at, of each module: the oldest; and groups that it shows.
LOOKED_AT, GROUPS, EXAMPLES = 2_000, 50, 8
_PREVIEW = 300


class GroupRow(msgspec.Struct, frozen=True):
    """One group; `passing` of its messages would be accepted now, None where that was not asked or cannot be said."""

    group: DeadGroup
    passing: int | None
    refusal: str


class Dead(msgspec.Struct, frozen=True):
    """The groups; `looked_at` messages of `of`."""

    module: str
    check: bool
    modules: dict[str, int]
    rows: list[GroupRow]
    more: int
    looked_at: int
    of: int
    dropped: dict[str, int]


class Example(msgspec.Struct, frozen=True):
    burial: Burial
    preview: str


class Redrive(msgspec.Struct, frozen=True):
    """What putting these back would do: how many are meant, how many would pass now, and why the others would not.
    `moved` is set once it was done."""

    module: str
    where: Where
    matching: int
    more: bool
    passing: int
    refused: list[tuple[Rejection, int]]
    trouble: str
    examples: list[Example]
    moved: int | None = None


def listed(system: System, query: PageAddress) -> Dead:
    lengths = system.client.run(dead.lengths(system.keys))
    module, check = query.text("module"), query.flag("check")
    names = [check_name(module)] if module else list(lengths)
    burials = {
        name: list(islice(walk(system.client, system.settings, name, where(query)), LOOKED_AT)) for name in names
    }
    rows = [row for name, of in burials.items() for row in _rows(system, name, of, check=check)]
    rows.sort(key=lambda row: (-row.group.count, row.group.module, row.group.reason))
    return Dead(
        module=module,
        check=check,
        modules=lengths,
        rows=rows[:GROUPS],
        more=max(0, len(rows) - GROUPS),
        looked_at=sum(map(len, burials.values())),
        of=sum(lengths.get(name, 0) for name in names),
        dropped=system.client.run(dead.dropped(system.keys)),
    )


def _rows(system: System, module: str, burials: list[Burial], *, check: bool) -> Iterator[GroupRow]:
    judge = _judge(system, module) if check else None
    for group in groups(burials):
        passing, refusal = None, ""
        if isinstance(judge, Judge):
            passing, refused = judged(judge, _of_group(burials, group))
            refusal = _most(refused)
        elif judge is not None:
            refusal = judge
        yield GroupRow(group, passing, refusal)


def _of_group(burials: list[Burial], group: DeadGroup) -> Iterator[Burial]:
    return (burial for burial in burials if pattern(burial.reason) == group.reason and burial.path == group.path)


def _judge(system: System, module: str) -> Judge | str:
    """What holds burials to the contract of today, or why nothing can."""
    try:
        return Judge(system.client.run(registry.require(system.keys, module)), system.now_us)
    except ClaudeCommError as error:
        return str(error)


def _most(refused: Counter[Rejection]) -> str:
    return next((f"{refusal.reason} (at {refusal.path or '$'})" for refusal, _ in refused.most_common(1)), "")


def plan(system: System, query: PageAddress) -> Redrive:
    """The dry run: nothing is moved."""
    module, chosen = check_name(query.part("module")), where(query)
    burials = list(islice(walk(system.client, system.settings, module, chosen), LOOKED_AT + 1))
    meant, judge = burials[:LOOKED_AT], _judge(system, module)
    trouble = judge if isinstance(judge, str) else ""
    passing, refused = (0, Counter[Rejection]()) if isinstance(judge, str) else judged(judge, meant)
    examples = [Example(burial, _preview(burial)) for burial in meant[-EXAMPLES:][::-1]]
    return Redrive(
        module=module,
        where=chosen,
        matching=len(meant),
        more=len(burials) > LOOKED_AT,
        passing=passing,
        refused=refused.most_common(10),
        trouble=trouble,
        examples=examples,
        moved=query.number("moved") if query.has("moved") else None,
    )


def put_back(system: System, query: PageAddress) -> int:
    """Moves what the dry run showed back into the inbox; how many."""
    module = check_name(query.part("module"))
    return redrive(system.client, system.settings, module, where(query), limit=None)


def purge(system: System, query: PageAddress) -> int:
    """Deletes them for good; how many."""
    module = check_name(query.part("module"))
    return dead_letters.purge(system.client, system.settings, module, where(query))


def where(query: PageAddress) -> Where:
    return Where(**{name: query.text(name) for name in Where.__struct_fields__})


def _preview(burial: Burial) -> str:
    if burial.envelope is None:
        return f"{burial.size_bytes:,} bytes that are no message"
    return bytes(shown(burial.envelope.data)).decode(errors="replace")[:_PREVIEW]

"""Contracts: the modules with their versions, and one module with what it accepts, what changed and who agreed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from claude_comm.errors import UnknownModule
from claude_comm.gateway.dashboard.query import PageAddress
from claude_comm.gateway.dashboard.system import System
from claude_comm.names import check_name
from claude_comm.negotiation.pairs import Pair
from claude_comm.ops import agreements, changes, registry
from claude_comm.ops.registry import Instance, Standing
from claude_comm.registry.changes import RegistryChange
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.registry.releases import ModuleRecord, Release
from claude_comm.schema.bounded import check, diff
from claude_comm.schema.evolution.diff import Difference
from claude_comm.schema.verdict import Incompatible

PAGE = 100
HISTORY = 30
# All proofs of one page together, in milliseconds.
_BUDGET_MS = 1_000


class ModuleRow(msgspec.Struct, frozen=True):
    """One module of the list."""

    name: str
    versions: list[str]
    accepts: list[str]
    produces: list[str]
    topics: list[str]
    instances: dict[str, int]
    pending: int


class Contracts(msgspec.Struct, frozen=True):
    """A page of modules; `after` is the name after which the next one begins, empty at the end."""

    find: str
    rows: list[ModuleRow]
    of: int
    after: str
    unreadable: list[str]


class Accepted(msgspec.Struct, frozen=True):
    """One type of message, its schema, a smallest message of it, and what is answered."""

    type: str
    schema: Schema
    properties: list[tuple[str, str, bool]]
    example: Any
    has_example: bool
    reply: Schema | None


class TypeDifference(msgspec.Struct, frozen=True):
    """What changed in one type of message between two versions; None where only one of them has it."""

    type: str
    side: str
    difference: Difference | None
    only_in: str


class ModulePage(msgspec.Struct, frozen=True):
    """One module; `shown` is the version that is looked at, `older` the one that it is compared with."""

    standing: Standing
    releases: list[Release]
    shown: Release | None
    contract: Contract | None
    accepted: list[Accepted]
    older: Release | None
    differences: list[TypeDifference]
    pairs: list[Pair]
    history: list[RegistryChange]
    instances: list[Instance]


def contracts(system: System, query: PageAddress) -> Contracts:
    directory = system.client.run(registry.everyone(system.keys, now_ms=system.now_ms))
    find, after = query.text("find").casefold(), query.text("after")
    matching = [standing for standing in directory.modules if find in standing.module.casefold()]
    page = [standing for standing in matching if standing.module > after][: PAGE + 1]
    unreadable = [str(error) for error in directory.unreadable]
    more = page[PAGE - 1].module if len(page) > PAGE else ""
    return Contracts(query.text("find"), [_row(standing) for standing in page[:PAGE]], len(matching), more, unreadable)


def _row(standing: Standing) -> ModuleRow:
    offered = standing.offered()
    return ModuleRow(
        name=standing.module,
        versions=[release.version for release in offered],
        accepts=sorted({type for release in offered for type in release.accepts}),
        produces=sorted({sent.type for release in offered for sent in release.produces}),
        topics=sorted({topic for release in offered for topic in release.topics}),
        instances=dict(Counter(instance.state for instance in standing.instances)),
        pending=sum(release.state == "pending" for release in standing.record.releases),
    )


def module(system: System, query: PageAddress) -> ModulePage:
    """Raises UnknownModule for a name that nobody has sent to, spoken as or negotiated with."""
    name, client, keys = check_name(query.part("module")), system.client, system.keys
    standing = client.run(registry.standing(keys, name, now_ms=system.now_ms))
    pairs = client.run(agreements.pairs(keys, name))
    if standing is None:
        if not pairs and not system.database.rows("SELECT 1 FROM names WHERE name = ?", (name,)):
            raise UnknownModule(name, client.run(registry.names(keys)))
        # It has sent or was sent something, and has declared nothing.
        standing = Standing(ModuleRecord(module=name, releases=[]), [])
    releases = sorted(standing.record.releases, key=lambda release: release.rank, reverse=True)
    shown = _named(releases, query.text("version")) or standing.current or next(iter(releases), None)
    older = _named(releases, query.text("compare")) or _before(releases, shown)
    wanted = [(name, release.digest) for release in (shown, older) if release is not None]
    known = client.run(registry.contracts_of(keys, wanted))
    contract = known.get(shown.digest) if shown else None
    before = known.get(older.digest) if older else None
    return ModulePage(
        standing=standing,
        releases=releases,
        shown=shown,
        contract=contract,
        accepted=[_accepted(contract, type) for type in contract.accepts] if contract else [],
        older=older,
        differences=_differences(before, contract) if before and contract else [],
        pairs=sorted(pairs, key=lambda pair: (pair.producer, pair.consumer, pair.type)),
        history=client.run(changes.history(keys, name, limit=HISTORY)),
        instances=sorted(standing.instances, key=lambda instance: (instance.state != "up", instance.name)),
    )


def _named(releases: list[Release], digest: str) -> Release | None:
    """By its digest, or the beginning of it."""
    return next((release for release in releases if digest and release.digest.startswith(digest)), None)


def _before(releases: list[Release], shown: Release | None) -> Release | None:
    """The version before that one."""
    at = releases.index(shown) if shown in releases else len(releases)
    return releases[at + 1] if at + 1 < len(releases) else None


def _accepted(contract: Contract, type: str) -> Accepted:
    schema = contract.accepts[type]
    # Everything is refused by `false`: the witness is a smallest message of the schema.
    verdict = check(schema, False, policy="strict", budget_ms=_BUDGET_MS / 4)
    example = verdict.witness if isinstance(verdict, Incompatible) else None
    return Accepted(
        type, schema, properties(schema), example, isinstance(verdict, Incompatible), contract.replies.get(type)
    )


def properties(schema: Schema) -> list[tuple[str, str, bool]]:
    """The properties that a schema names: the name, its kind in a word, and whether it is required."""
    declared = schema.get("properties", {}) if isinstance(schema, dict) else {}
    required = schema.get("required", []) if isinstance(schema, dict) else []
    return [
        (str(name), kind(held), name in required)
        for name, held in (declared.items() if isinstance(declared, dict) else ())
    ]


def kind(schema: object) -> str:
    """A schema in a word: its type, what it refers to, or how many values it lists."""
    if not isinstance(schema, dict):
        return "anything" if schema is True else "nothing"
    given = schema.get("type")
    if isinstance(given, str):
        items = schema.get("items")
        return f"array of {kind(items)}" if given == "array" and isinstance(items, dict) else given
    if isinstance(given, list):
        return " or ".join(map(str, given))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if isinstance(schema.get("enum"), list):
        return f"one of {len(schema['enum'])}"
    return next((word for word in ("anyOf", "oneOf", "allOf", "const") if word in schema), "anything")


def _differences(old: Contract, new: Contract) -> list[TypeDifference]:
    sides = (
        ("accepts", dict(old.accepts), dict(new.accepts)),
        ("sends", _sent(old), _sent(new)),
    )
    pairs = [
        (side, type, before.get(type), after.get(type))
        for side, before, after in sides
        for type in sorted({*before, *after})
        if before.get(type) != after.get(type)
    ]
    budget_ms = _BUDGET_MS / max(1, len(pairs))
    return [_difference(side, type, before, after, budget_ms) for side, type, before, after in pairs]


def _difference(side: str, type: str, before: Schema | None, after: Schema | None, budget_ms: float) -> TypeDifference:
    if before is None or after is None:
        return TypeDifference(type, side, None, "new" if before is None else "old")
    return TypeDifference(type, side, diff(before, after, budget_ms=budget_ms), "")


def _sent(contract: Contract) -> dict[str, Schema]:
    return {f"{sent.type} to {sent.target or 'anyone'}": sent.schema for sent in contract.produces}

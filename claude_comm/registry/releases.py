"""The record of a module: the versions of its contract that were registered, and what becomes of each.

Law: pure. A record is small, whatever the schemas are: it holds their digests, and the contracts stand by themselves.
A release is `live` (registered, and approved where that was asked for), `pending` (waits for approval: nobody
negotiates with it) or `retired`; it is never forgotten while its module is registered, for messages outlive it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from claude_comm.envelope import Micros
from claude_comm.registry.contracts import NEWER, Compatibility, Contract, UnreadableContract, Versioned
from claude_comm.registry.versions import Precedence, precedence, within

# Of the record in `ns:{registry}:modules`. Version 1 was the contract itself.
VERSION = 2

State: TypeAlias = Literal["live", "pending", "retired"]


class ProducedType(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a release produces: the type, the digest of its schema, and to whom."""

    type: str
    schema: str
    target: str = ""


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of a module's contract. `digest` is the address of the contract; `accepts` maps each type to the
    digest of its schema; `prefers` is the order in which the versions of the module are offered while it is the newest.

    A pending one waits for the modules in `awaits`; `approved` maps those that have approved to who said so for them.
    """

    version: str
    digest: str
    accepts: dict[str, str] = {}
    produces: list[ProducedType] = []
    topics: list[str] = []
    compatibility: Compatibility = "none"
    prefers: list[str] = []
    state: State = "live"
    registered_us: Micros = 0
    awaits: list[str] = []
    approved: dict[str, str] = {}

    @property
    def rank(self) -> tuple[Precedence, int]:
        """What releases are ordered by: the version, and between equal ones the registration."""
        return precedence(self.version), self.registered_us

    @property
    def unapproved(self) -> list[str]:
        """The modules that it still waits for."""
        return [partner for partner in self.awaits if partner not in self.approved]


class ModuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All releases of a module, in the order of their registration."""

    module: str
    releases: list[Release]
    v: int = VERSION

    def find(self, digest: str) -> Release | None:
        return next((release for release in self.releases if release.digest == digest), None)

    def live(self) -> list[Release]:
        """Those that may be negotiated with, the newest first."""
        return sorted(
            (release for release in self.releases if release.state == "live"),
            key=lambda release: release.rank,
            reverse=True,
        )

    def current(self) -> Release | None:
        """The newest live one: what `registry.find` returns the contract of."""
        return next(iter(self.live()), None)

    def offered(self, running: Collection[str]) -> list[Release]:
        """Those that messages may be meant for, in the consumer's order of preference: the live ones of which instances
        run (given by their digests), else the current one alone.

        The order is that of the newest live release (`prefers`, ranges of versions, the most preferred first); what no
        range holds comes after that, and within a range the newest is first.
        """
        live = self.live()
        offered = [release for release in live if release.digest in running] or live[:1]
        return sorted(offered, key=lambda release: _preference(release.version, live[0].prefers))

    def with_release(self, changed: Release) -> ModuleRecord:
        """The record with this release in the place of that of its digest, else at its end."""
        if self.find(changed.digest) is None:
            return msgspec.structs.replace(self, releases=[*self.releases, changed])
        releases = [changed if release.digest == changed.digest else release for release in self.releases]
        return msgspec.structs.replace(self, releases=releases)


def _preference(version: str, prefers: Sequence[str]) -> int:
    """The position of the first range that a version lies in."""
    return next((at for at, wanted in enumerate(prefers) if within(version, wanted)), len(prefers))


def release_of(contract: Contract, *, state: State = "live", awaits: Collection[str] = ()) -> Release:
    """The release that registering this contract makes."""
    from claude_comm.registry.canonical import schema_digest  # as in `Contract.digest`

    return Release(
        version=contract.version,
        digest=contract.digest,
        accepts={type: schema_digest(schema) for type, schema in contract.accepts.items()},
        produces=[ProducedType(sent.type, schema_digest(sent.schema), sent.target) for sent in contract.produces],
        topics=list(contract.topics),
        compatibility=contract.compatibility,
        prefers=list(contract.prefers),
        state=state,
        registered_us=contract.registered_us,
        awaits=sorted(awaits),
    )


def encode(record: ModuleRecord) -> bytes:
    return msgspec.json.encode(record)


def decode(module: str, text: bytes) -> ModuleRecord:
    """Raises UnreadableContract: another program may have written there."""
    try:
        if msgspec.json.decode(text, type=Versioned).v <= VERSION:
            return msgspec.json.decode(text, type=ModuleRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableContract(module, str(error)) from None
    raise UnreadableContract(module, NEWER)


class RunningInstance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an instance says of itself when it starts: the release that it runs, and since when."""

    version: str
    digest: str
    since_us: Micros = 0
    v: int = 1


def decode_running(texts: Mapping[str, bytes]) -> dict[str, RunningInstance]:
    """What instances (`module/instance`) said; what cannot be read is left out."""
    running = {}
    for member, text in texts.items():
        try:
            running[member] = msgspec.json.decode(text, type=RunningInstance)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return running

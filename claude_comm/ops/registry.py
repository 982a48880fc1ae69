"""Reading the registry: modules, their contracts and their instances.

Law: everything here is on the control server. A module's record lists its releases, and each contract stands under its
digest, which is computed again when it is read. An instance is up while its last heartbeat is younger than `ALIVE_MS`,
late until `GONE_MS`, and gone after that; times are milliseconds since the epoch, handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

import msgspec

from claude_comm.effects import Batch, Believe, Command, Operation
from claude_comm.errors import TransportError, UnknownModule
from claude_comm.names import Keys, is_name
from claude_comm.ops import door
from claude_comm.ops.heartbeats import ALIVE_MS, GONE_MS
from claude_comm.registry import contracts, releases
from claude_comm.registry.contracts import UNSIGNED, Contract, UnreadableContract
from claude_comm.registry.releases import ModuleRecord, Release, RunningInstance, decode_running

# Contracts that one command asks for: each may be large.
_PAGE = 100

InstanceState: TypeAlias = Literal["up", "late", "gone"]


class Instance(msgspec.Struct, frozen=True):
    """One process of a module: its last heartbeat (ms), and the release that it runs (empty where it did not say)."""

    name: str
    state: InstanceState
    beat_ms: int
    version: str = ""
    digest: str = ""


class Standing(msgspec.Struct, frozen=True):
    """A module's record, and its instances."""

    record: ModuleRecord
    instances: list[Instance]

    @property
    def module(self) -> str:
        return self.record.module

    @property
    def current(self) -> Release | None:
        return self.record.current()

    @property
    def running(self) -> set[str]:
        """The digests of the releases of which instances run."""
        return {instance.digest for instance in self.instances if instance.state != "gone"}

    def offered(self) -> list[Release]:
        """The releases that a message may be meant for, the preferred one first."""
        return self.record.offered(self.running)


class Directory(msgspec.Struct, frozen=True):
    """Everything that is registered, by name; what another program wrote and this one cannot read, or may not believe,
    is listed apart."""

    modules: list[Standing]
    unreadable: list[UnreadableContract]


def record(keys: Keys, module: str) -> Operation[ModuleRecord | None]:
    """The record of a module. Raises UnreadableContract."""
    text: bytes | None = yield Command(("HGET", keys.modules, module), on="control")
    believed = yield from believed_record(keys, module, text)
    return None if believed is None else releases.decode(module, believed)


def believed_record(keys: Keys, module: str, text: bytes | None) -> Operation[bytes | None]:
    """What of the text of a record may be believed: the module itself signs it, or a service."""
    (believed,) = yield Believe(keys.modules, ((module, text),), (module,))
    return cast("bytes | None", believed)


def standing(keys: Keys, module: str, *, now_ms: int) -> Operation[Standing | None]:
    """The record of a module and its instances. Raises UnreadableContract."""
    text, running = yield Batch(
        (
            Command(("HGET", keys.modules, module), on="control"),
            Command(("HGETALL", keys.running(module)), on="control"),
        ),
        on="control",
    )
    if isinstance(text, TransportError):
        raise text
    text = yield from believed_record(keys, module, text)
    if text is None:
        return None
    said = decode_running({door.name(name): value for name, value in door.fields(running).items()})
    members = [f"{module}/{name}" for name in said]
    scores = (yield Command(("ZMSCORE", keys.instances, *members), on="control")) if members else []
    beats = {name: beat for name, score in zip(said, scores, strict=False) if (beat := door.moment(score)) is not None}
    return Standing(releases.decode(module, text), _instances(said, beats, now_ms))


def contract_of(keys: Keys, module: str, digest: str) -> Operation[Contract | None]:
    """The contract of a digest. Raises UnreadableContract."""
    text: bytes | None = yield Command(("HGET", keys.contracts, digest), on="control")
    return None if text is None else contracts.addressed(module, digest, text)


def contracts_of(keys: Keys, wanted: Sequence[tuple[str, str]]) -> Operation[dict[str, Contract]]:
    """Contracts by digest, given as (module, digest); those that are not there or cannot be read are left out."""
    by_digest: dict[str, Contract] = {}
    for start in range(0, len(wanted), _PAGE):
        page = wanted[start : start + _PAGE]
        texts = yield Command(("HMGET", keys.contracts, *(digest for _, digest in page)), on="control")
        for (module, digest), text in zip(page, texts, strict=True):
            try:
                if text is not None:
                    by_digest[digest] = contracts.addressed(module, digest, text)
            except UnreadableContract:
                continue
    return by_digest


def find(keys: Keys, module: str) -> Operation[Contract | None]:
    """The contract of a module's newest live release; None where it has none. Raises UnreadableContract."""
    module_record = yield from record(keys, module)
    release = module_record.current() if module_record is not None else None
    if release is None:
        return None
    contract = yield from contract_of(keys, module, release.digest)
    if contract is None:
        raise UnreadableContract(module, "only its record is there")
    return contract


def offered(keys: Keys, module: str, *, now_ms: int) -> Operation[list[Contract]]:
    """The contracts that a message may be meant for, the preferred one first; none for a module that is not registered.
    Raises UnreadableContract."""
    versions = yield from standing(keys, module, now_ms=now_ms)
    if versions is None:
        return []
    listed = versions.offered()
    contracts = yield from contracts_of(keys, [(module, release.digest) for release in listed])
    if listed and not contracts:
        raise UnreadableContract(module, "only its record is there")
    return [contracts[release.digest] for release in listed if release.digest in contracts]


def is_registered(keys: Keys, module: str) -> Operation[bool]:
    """Whether the registry has a record of that module."""
    return bool((yield Command(("HEXISTS", keys.modules, module), on="control")))


def require(keys: Keys, module: str) -> Operation[Contract]:
    """As `find`. Raises UnknownModule, with a near name where there is one."""
    contract = yield from find(keys, module)
    if contract is None:
        raise UnknownModule(module, (yield from names(keys)))
    return contract


def names(keys: Keys) -> Operation[list[str]]:
    """The registered modules."""
    members: list[bytes] = yield Command(("HKEYS", keys.modules), on="control")
    return sorted(map(door.name, members))


def everyone(keys: Keys, *, now_ms: int) -> Operation[Directory]:
    """All modules by name, each with its instances."""
    texts, scores = yield Batch(
        (
            Command(("HGETALL", keys.modules), on="control"),
            Command(("ZRANGEBYSCORE", keys.instances, "-inf", "+inf", "WITHSCORES"), on="control"),
        ),
        on="control",
    )
    if isinstance(scores, TransportError):
        raise scores
    beats: dict[str, dict[str, int]] = {}
    for member, beat_ms in door.scored(scores):
        module, _, instance = member.partition("/")
        beats.setdefault(module, {})[instance] = beat_ms
    by_name, directory = [], Directory([], [])
    for name, text in sorted((door.name(name), text) for name, text in door.fields(texts).items()):
        if (believed := (yield from believed_record(keys, name, text))) is not None:
            by_name.append((name, believed))
        elif is_name(name):
            directory.unreadable.append(UnreadableContract(name, UNSIGNED))
    running = yield from _running(keys, [name for name, _ in by_name if is_name(name)])
    for name, text in by_name:
        try:
            listed = releases.decode(name, text)
            instances = _instances(running.get(name, {}), beats.get(name, {}), now_ms)
            directory.modules.append(Standing(listed, instances))
        except UnreadableContract as error:
            directory.unreadable.append(error)
    return directory


def _running(keys: Keys, modules: Sequence[str]) -> Operation[dict[str, dict[str, RunningInstance]]]:
    if not modules:
        return {}
    replies = yield Batch(
        tuple(Command(("HGETALL", keys.running(name)), on="control") for name in modules), on="control"
    )
    return {
        name: decode_running({door.name(member): text for member, text in door.fields(reply).items()})
        for name, reply in zip(modules, replies, strict=True)
    }


def _instances(running: Mapping[str, RunningInstance], beats: Mapping[str, int], now_ms: int) -> list[Instance]:
    """Those that registered what they run, and those that only send heartbeats."""
    names: Iterable[str] = dict.fromkeys((*running, *beats))
    return [_instance(name, running.get(name), beats.get(name), now_ms) for name in names]


def _instance(name: str, running: RunningInstance | None, beat_ms: int | None, now_ms: int) -> Instance:
    # One that has just registered has sent no heartbeat yet.
    last_ms = beat_ms if beat_ms is not None else (running.since_us // 1000 if running else 0)
    state: InstanceState = "up" if last_ms >= now_ms - ALIVE_MS else "late" if last_ms >= now_ms - GONE_MS else "gone"
    return Instance(name, state, last_ms, running.version if running else "", running.digest if running else "")

"""Registering contracts, approving them and retiring them.

Law: a module's record changes in one atomic step, compared with what was read; who was quicker is read again. What a
policy promises is proved before the step, and what is refused leaves nothing behind. Every change is announced, and
stands in the history of its module.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from claude_comm.effects import Believe, Command, Operation, Script, Sign
from claude_comm.errors import (
    ConfigurationError,
    StillRuns,
    UnknownModule,
    UnknownVersion,
    VersionTaken,
)
from claude_comm.names import TOPIC_PREFIX, Keys
from claude_comm.ops import changes, consume, door, heartbeats, partners, publish, registry, registry_events
from claude_comm.ops.changes import RegistryBusy
from claude_comm.ops.partners import BrokenPartner
from claude_comm.registry import changes as announced
from claude_comm.registry import contracts, policies, releases
from claude_comm.registry.changes import Kind, RegistryChange
from claude_comm.registry.contracts import NEWER, Contract, UnreadableContract
from claude_comm.registry.policies import Break
from claude_comm.registry.releases import ModuleRecord, Release, RunningInstance, release_of
from claude_comm.registry.versions import precedence
from claude_comm.security import sealed

# Registrations of one module that may come in between.
_ATTEMPTS = 50


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """What registering a contract did. `lost` is what the new release does not keep of the one before it, although no
    policy asks for it; `broken` are the partners that a pending one waits for; of one that is not
    held, those who publish to its topics what it would refuse."""

    release: Release
    change: Kind | None
    lost: list[Break] = []
    broken: list[BrokenPartner] = []

    @property
    def pending(self) -> bool:
        return self.release.state == "pending"


class _Read(msgspec.Struct, frozen=True):
    """A record as it stands: its bytes, and what they say; an empty record where there is none."""

    text: bytes
    record: ModuleRecord


def register(keys: Keys, declared: Contract, *, instance: str = "", hold: bool = False) -> Operation[Registration]:
    """Registers a contract; with `instance`, that this instance runs it from now on. With `hold`, one that would break
    a partner with whom there is an agreement is pending until each of these has approved.

    A module that would begin to read a topic whose messages it refuses is refused itself, unless it holds or its mode
    is not `enforce`. Raises ContractRefused for that and, or VersionTaken, where a policy forbids it;
    UnreadableContract where a newer release of this program wrote the record.
    """
    digest = declared.digest
    for _ in range(_ATTEMPTS):
        read = yield from _read(keys, declared.module)
        known = read.record.find(digest)
        if known is not None and known.state == "live":
            planned = _again(read.record, known, declared, instance)
        elif known is not None and known.state == "pending" and hold:
            planned = Registration(release=known, change=None)
        else:
            planned = yield from _anew(keys, read.record, declared, hold=hold)
        if (yield from _write(keys, read, planned, declared, instance)):
            for topic in declared.topics:
                yield Command(("SADD", keys.edges(f"{TOPIC_PREFIX}{topic}"), declared.module), on="control")
            yield from _forget_gone(keys, declared.module, declared.registered_us)
            return planned
    raise RegistryBusy(declared.module)


def stands(keys: Keys, module: str, release: Release, instance: str, limited: bool) -> Operation[bool]:
    """Whether all that an instance registered is there and may be believed: another program may have removed it, or
    written over it. Also true where telling it again would change nothing: a newer release of this program wrote the
    record, or this client's key is not believed any more."""
    try:
        record = yield from registry.record(keys, module)
    except UnreadableContract as error:
        return error.why == NEWER
    if record is None:
        return not (yield from _is_believed(keys, module))
    if record.find(release.digest) is None:
        return False
    if not (yield from registry.contracts_of(keys, [(module, release.digest)])):
        return False
    if limited and not (yield from publish.limit(keys, module)):
        return False
    return bool((yield Command(("HEXISTS", keys.running(module), instance), on="control")))


def _is_believed(keys: Keys, module: str) -> Operation[bool]:
    """Whether what this client signs for a module is believed now."""
    signed = yield Sign(keys.modules, ((module, b""),))
    (believed,) = yield Believe(keys.modules, ((module, signed[0] if signed else b""),), (module,))
    return believed is not None


def retire(keys: Keys, module: str, version: str = "", *, now_us: int, by: str = "") -> Operation[list[Release]]:
    """Retires a version (or the start of its digest), or all: nobody negotiates with them any more.

    Raises UnknownModule or UnknownVersion, or StillRuns while an instance runs one of them.
    """
    for _ in range(_ATTEMPTS):
        read = yield from _read(keys, module)
        if not read.record.releases:
            raise UnknownModule(module, (yield from registry.names(keys)))
        chosen = named(read.record, version, ("live", "pending"))
        standing = yield from registry.standing(keys, module, now_ms=now_us // 1000)
        digests = {release.digest for release in chosen}
        runs = [instance.name for instance in standing.instances if instance.state != "gone"] if standing else []
        busy = [
            instance
            for instance in (standing.instances if standing else [])
            if instance.state != "gone" and instance.digest in digests
        ]
        if busy or (runs and not version):
            raise StillRuns(module, [instance.name for instance in busy] or runs)
        record = read.record
        for release in chosen:
            record = record.with_release(msgspec.structs.replace(release, state="retired"))
        notes = [_change("retired", module, release, now_us, by) for release in chosen]
        if (yield from _swap(keys, read, record, notes)):
            return chosen
    raise RegistryBusy(module)


def approve(keys: Keys, module: str, version: str, partner: str, *, now_us: int, by: str = "") -> Operation[Release]:
    """A partner takes a pending version, although it breaks what was agreed on; the last one makes it live.

    Raises UnknownModule or UnknownVersion, or ConfigurationError for a module that is not waited for.
    """
    for _ in range(_ATTEMPTS):
        read = yield from _read(keys, module)
        if not read.record.releases:
            raise UnknownModule(module, (yield from registry.names(keys)))
        release = named(read.record, version, ("pending",))[-1]
        if partner not in release.awaits:
            awaited = ", ".join(release.awaits)
            raise ConfigurationError(f"{module!r} {release.version} waits for {awaited}, and not for {partner!r}.")
        approved = {**release.approved, partner: by or partner}
        ready = set(release.awaits) <= approved.keys()
        # Its time is that of the approval: from then on it is the current one of its version.
        changed = msgspec.structs.replace(
            release,
            approved=approved,
            state="live" if ready else "pending",
            registered_us=max(now_us, release.registered_us) if ready else release.registered_us,
        )
        kinds: list[Kind] = ["approved", "registered"] if ready else ["approved"]
        notes = [
            msgspec.structs.replace(_change(kind, module, changed, now_us, by or partner), partner=partner)
            for kind in kinds
        ]
        if (yield from _swap(keys, read, read.record.with_release(changed), notes)):
            return changed
    raise RegistryBusy(module)


def named(record: ModuleRecord, version: str, states: Sequence[str]) -> list[Release]:
    """The releases of a version, or of a digest that begins so; all of these states where nothing is named. Raises
    UnknownVersion."""
    chosen = [
        release
        for release in record.releases
        if release.state in states and (not version or release.version == version or release.digest.startswith(version))
    ]
    if not chosen:
        known = [f"{release.version} ({release.state}, {release.digest[:12]})" for release in record.releases]
        raise UnknownVersion(record.module, version, known, states)
    return chosen


def leave(keys: Keys, module: str, instance: str, *, now_us: int) -> Operation[None]:
    """An instance has ended: what it ran may have nobody left."""
    texts = yield Command(("HGETALL", keys.running(module)), on="control")
    running = releases.decode_running({door.name(name): text for name, text in door.fields(texts).items()})
    yield Command(("HDEL", keys.running(module), instance), on="control")
    yield from heartbeats.forget_proof(keys, module, instance)
    if instance in running:
        ran = running[instance]
        change = RegistryChange(
            kind="left", module=module, version=ran.version, digest=ran.digest, at_us=now_us, by=instance
        )
        yield from changes.announce(keys, change)


def unregister(keys: Keys, module: str, *, now_us: int = 0) -> Operation[bool]:
    """Removes all that the registry has of a module; whether there was anything."""
    read = yield from _read(keys, module)
    digests = [release.digest for release in read.record.releases]
    removed = yield Command(("HDEL", keys.modules, module), on="control")
    yield Command(("HDEL", keys.limits, module), on="control")
    if digests:
        yield Command(("HDEL", keys.contracts, *digests), on="control")
    yield from unlink_pairs(keys, module, {topic for release in read.record.releases for topic in release.topics})
    registered = (keys.running(module), keys.beats(module), keys.history(module), keys.edges(module))
    yield Command(("UNLINK", *registered), on="control")
    if removed:
        text = announced.encode(RegistryChange(kind="forgotten", module=module, at_us=now_us))
        yield Command(("XADD", keys.changes, "MAXLEN", "~", changes.MAX_CHANGES, "*", "c", text), on="control")
    return bool(removed)


def unlink_pairs(keys: Keys, module: str, topics: Collection[str]) -> Operation[None]:
    """Forgets what a module agreed on, or what was agreed on a topic; and that the module reads `topics`."""
    for topic in topics:
        yield Command(("SREM", keys.edges(f"{TOPIC_PREFIX}{topic}"), module), on="control")
    known: set[bytes] = yield Command(("SMEMBERS", keys.edges(module)), on="control")
    # Beside its pairs a topic has the names of those who read it.
    members = [member for member in known if b"/" in member]
    for member in members:
        producer, _, rest = door.name(member).partition("/")
        for partner in {producer, rest.rpartition("/")[0]} - {module}:
            yield Command(("SREM", keys.edges(partner), member), on="control")
    if members:
        yield Command(("HDEL", keys.pairs, *members), on="control")


def _again(record: ModuleRecord, known: Release, declared: Contract, instance: str) -> Registration:
    """The registration of a release that is there. Of several contents of one version the last registered counts."""
    current = record.current()
    if current is not None and current.digest != known.digest and current.version == known.version:
        at_us = max(declared.registered_us, current.registered_us + 1)
        returned = msgspec.structs.replace(known, registered_us=at_us)
        return Registration(release=returned, change="returned")
    return Registration(release=known, change="joined" if instance else None)


def _anew(keys: Keys, record: ModuleRecord, declared: Contract, *, hold: bool) -> Operation[Registration]:
    live = record.live()
    by_digest = yield from registry.contracts_of(keys, [(record.module, old.digest) for old in live])
    earlier = [by_digest[old.digest] for old in live if old.digest in by_digest]
    before = [old for old in earlier if precedence(old.version) < precedence(declared.version)]
    same = [old for old in earlier if precedence(old.version) == precedence(declared.version)]
    promised = [old for old in (declared, *same, *before[:1]) if old.compatibility != "none"]
    if same and promised:
        raise VersionTaken(declared.module, declared.version)
    for old in promised:
        if broken := policies.breaks(declared, before, old.compatibility):
            raise policies.refused(declared, old.compatibility, broken)
    lost = policies.breaks(declared, [*same, *before][:1], "backward") if not promised else []
    joined = set(declared.topics) - {topic for contract in earlier for topic in contract.topics}
    if not hold and declared.enforcement == "enforce":
        unread = []
        for topic in sorted(joined):
            publishing = yield from partners.unread(keys, declared, [topic])
            # Its group says that it has read the topic before, whatever became of its record.
            if publishing and not (yield from consume.has_group(keys.topic(topic), declared.module)):
                unread += publishing
        if unread:
            raise partners.refused(declared, unread)
    hurt = yield from (partners.broken(keys, declared) if hold else partners.unread(keys, declared))
    waits = bool(hold and hurt)
    made = release_of(declared, state="pending" if waits else "live", awaits={p.partner for p in hurt} if waits else ())
    # Of several contents of one version the last registered counts, whatever the clocks say.
    at_us = max([made.registered_us, *(old.registered_us + 1 for old in live if old.version == made.version)])
    made = msgspec.structs.replace(made, registered_us=at_us)
    return Registration(release=made, change="pending" if waits else "registered", lost=lost, broken=hurt)


def _write(keys: Keys, read: _Read, planned: Registration, declared: Contract, instance: str) -> Operation[bool]:
    release = planned.release
    record = read.record.with_release(release)
    notes = []
    if planned.change is not None:
        note = " ".join(breach.sentence for breach in planned.broken or planned.lost)
        notes = [_change(planned.change, record.module, release, declared.registered_us, instance, note)]
    running = RunningInstance(version=release.version, digest=release.digest, since_us=declared.registered_us)
    limit: bytes | int = declared.max_lag
    if limit and (signed := (yield Sign(keys.limits, ((declared.module, str(limit).encode()),)))):
        limit = signed[0]
    words = (release.digest, contracts.encode(declared), instance, msgspec.json.encode(running), limit)
    return (yield from _swap(keys, read, record, notes, words))


def _swap(
    keys: Keys,
    read: _Read,
    record: ModuleRecord,
    notes: Sequence[RegistryChange],
    words: tuple[str | bytes | int, ...] = ("", "", "", "", ""),
) -> Operation[bool]:
    """Sets the record in the place of the one that was read; whether that still stood there."""
    module = record.module
    of_registry = (keys.modules, keys.contracts, keys.running(module), keys.limits, keys.changes, keys.history(module))
    text = read.text
    if record != read.record or read.text[:1] != sealed.MARK:
        signed = yield Sign(keys.modules, ((module, releases.encode(record)),))
        if signed or record != read.record:
            text = signed[0] if signed else releases.encode(record)
    done = yield Script(
        "register",
        of_registry,
        (module, read.text, text, *words, changes.MAX_CHANGES, changes.MAX_HISTORY, *map(announced.encode, notes)),
        on="control",
    )
    if done:
        yield from registry_events.tell(keys, notes)
    return bool(done)


def _read(keys: Keys, module: str) -> Operation[_Read]:
    """What is no record of any release of this program counts as none."""
    text: bytes | None = yield Command(("HGET", keys.modules, module), on="control")
    believed = yield from registry.believed_record(keys, module, text)
    try:
        record = releases.decode(module, believed) if believed else ModuleRecord(module=module, releases=[])
        return _Read(text or b"", record)
    except UnreadableContract as error:
        if error.why == NEWER:
            raise
        return _Read(text or b"", ModuleRecord(module=module, releases=[]))


def _change(kind: Kind, module: str, release: Release, at_us: int, by: str, note: str = "") -> RegistryChange:
    return RegistryChange(
        kind=kind,
        module=module,
        version=release.version,
        digest=release.digest,
        at_us=at_us,
        by=by,
        topics=release.topics,
        note=note,
    )


def _forget_gone(keys: Keys, module: str, now_us: int) -> Operation[None]:
    """Removes instances that registered long ago and whose heartbeats were pruned."""
    if (yield Command(("HLEN", keys.running(module)), on="control")) < _MANY:
        return
    texts = yield Command(("HGETALL", keys.running(module)), on="control")
    running = releases.decode_running({door.name(name): text for name, text in door.fields(texts).items()})
    members = [f"{module}/{name}" for name in running]
    scores = yield Command(("ZMSCORE", keys.instances, *members), on="control")
    lately_us = now_us - heartbeats.GONE_MS * 1000
    gone = [
        name
        for name, score in zip(running, scores, strict=True)
        if score is None and running[name].since_us < lately_us
    ]
    if gone:
        yield Command(("HDEL", keys.running(module), *gone), on="control")


# Fewer are not worth a look.
_MANY = 64

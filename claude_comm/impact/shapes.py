"""Shapes: the distinct sets of (path, type) that the payloads of one flow had, each with what was observed of it.

Law: pure. Every payload is of one of the shapes of its flow, so that none is missed; a flow has a bounded number of
them. Where objects have arbitrary names as properties, these fold to `*`, beside the names that are always there; where
that is not enough, all shapes of the flow become one.

A flow is what was sent by one module to one target, of one type, under one agreement (or none).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from claude_comm.errors import EncodeError
from claude_comm.impact import observed
from claude_comm.impact.blocks import DAY_US, Block
from claude_comm.impact.observed import ANY_NAME, ITEM, TYPES, UNKNOWN, Maps, Path, PathFacts
from claude_comm.impact.sensitive import HIDDEN, Marks, redacted
from claude_comm.json_form import json_form
from claude_comm.schema.verdict import Json

# Shapes of one flow, names of one object, levels of a payload: beyond, they fold.
MAX_SHAPES, MAX_NAMES, MAX_DEPTH = 512, 128, 40
# How large an example may be, in bytes.
MAX_EXAMPLE = 4_096

# How one payload is built: its type, or for an object its names and what they hold, for an array what its items are.
Signature: TypeAlias = Any
Key: TypeAlias = bytes
_NOTHING_KNOWN: Key = bytes(16)


class _TooDeep(Exception):
    """A payload of more levels than are looked at."""


class Payload(msgspec.Struct, frozen=True, gc=False):
    """One message of a flow. `value` is its payload as MessagePack has it, UNSET where that is not kept; `number` is
    its row's, 0 where it has none."""

    id: str
    time_us: int
    value: Json | msgspec.UnsetType = msgspec.UNSET
    number: int = 0


class Shape(msgspec.Struct, kw_only=True):
    """Payloads with the same paths and types: how many a day, when the first and the last were sent, and one of them as
    an example, without what is sensitive in it (UNSET where it would be too large). `key` is the one that it is stored
    under, `blocks` are those that changed since, the latest last."""

    key: Key = b""
    facts: PathFacts = msgspec.field(default_factory=PathFacts)
    first_us: int = 2**63 - 1
    last_us: int = 0
    days: dict[int, int] = {}
    example_id: str = ""
    example: Json | msgspec.UnsetType = msgspec.UNSET
    blocks: list[Block] = []

    @property
    def count(self) -> int:
        return sum(self.days.values())

    def since(self, day: int) -> int:
        """How many were sent on that day (since the epoch) or later."""
        return sum(count for at, count in self.days.items() if at >= day)

    @property
    def is_whole(self) -> bool:
        """Whether the example is the payload itself, with nothing hidden in it."""
        return self.example is not msgspec.UNSET and not _holds_hidden(self.example)

    @property
    def paths(self) -> list[tuple[Path, str]]:
        return sorted(observed.paths(self.facts))

    def block(self) -> Block:
        """The one that has room for more."""
        if not self.blocks or self.blocks[-1].room <= 0:
            self.blocks.append(Block())
        return self.blocks[-1]


class Shapes:
    """The shapes of one flow by their keys. `touched` are those that changed, `gone` those that were folded away, each
    with the key of the shape that its messages are of now."""

    def __init__(self, shapes: Mapping[Key, Shape] | None = None) -> None:
        self.by_key: dict[Key, Shape] = dict(shapes or {})
        self.touched: set[Key] = set()
        self.gone: dict[Key, Key] = {}
        self.maps: dict[Path, frozenset[str]] = {}
        self._keys: dict[Signature, Key | None] = {}
        for shape in self.by_key.values():
            self.maps |= dict(_maps(shape.facts))

    def absorb(self, payloads: Sequence[Payload], marks: Marks) -> None:
        """Adds these payloads, the latest last."""
        for signature, alike in _by_signature(payloads):
            key = self._key_of(signature)
            if key is not None:
                self._add(key, signature, alike, marks)
                continue
            for inner, converted in _by_signature(list(map(_converted, alike))):
                self._add(self._key_of(inner) or _NOTHING_KNOWN, inner, converted, marks)
        while len(self.by_key) > MAX_SHAPES:
            self._fold()

    def _add(self, key: Key, signature: Signature, alike: Sequence[Payload], marks: Marks) -> None:
        shape = self.by_key.get(key)
        if shape is None:
            shape = self.by_key[key] = Shape(key=key)
            self.gone.pop(key, None)
        self.touched.add(key)
        at = 0
        while at < len(alike):
            block = shape.block()
            part = alike[at : at + block.room]
            facts = self._facts(signature, part, marks)
            block.add(facts, [payload.number for payload in part], [payload.time_us for payload in part])
            observed.merge(shape.facts, facts)
            at += len(part)
        for payload in alike:
            day = payload.time_us // DAY_US
            shape.days[day] = shape.days.get(day, 0) + 1
        times = [payload.time_us for payload in alike]
        shape.first_us, shape.last_us = min(shape.first_us, *times), max(shape.last_us, *times)
        shape.example_id, shape.example = alike[-1].id, _example(alike[-1].value, marks)

    def _facts(self, signature: Signature, alike: Sequence[Payload], marks: Marks) -> PathFacts:
        facts = PathFacts()
        if signature is msgspec.UnsetType:
            observed.unknown(facts, len(alike))
        else:
            observed.absorb(facts, [payload.value for payload in alike], marks, self.maps)
        return facts

    def _key_of(self, signature: Signature) -> Key | None:
        """None for what is not JSON: bytes, timestamps, names that are no text."""
        if signature not in self._keys:
            self._make_maps(signature)
            if len(self._keys) > 16 * MAX_SHAPES:
                self._keys.clear()
            self._keys[signature] = _key(set(_paths(signature, self.maps))) if _is_json(signature) else None
        return self._keys[signature]

    def _make_maps(self, signature: Signature) -> None:
        """An object of very many properties is a map at once."""
        for path in set(_wide(signature, self.maps)):
            self._make_map(path, frozenset())

    def _fold(self) -> None:
        """Makes a map of the object whose names differ most; where none differ, one shape of all."""
        names: dict[Path, set[str]] = {}
        always: dict[Path, set[str]] = {}
        for shape in self.by_key.values():
            for path, present, lasting in _objects(shape.facts):
                names.setdefault(path, set()).update(present)
                always.setdefault(path, set(lasting)).intersection_update(lasting)
        varying = {path: len(names[path] - always[path]) for path in names}
        path = max(varying, key=varying.__getitem__, default=())
        if varying.get(path):
            self._make_map(path, frozenset(always[path]))
        else:
            self._one_of_all()

    def _make_map(self, path: Path, fixed: frozenset[str]) -> None:
        self.maps[path] = fixed
        for shape in self.by_key.values():
            observed.folded(shape.facts, path, fixed)
        self._again()

    def _one_of_all(self) -> None:
        self._regroup(dict.fromkeys(self.by_key, _key(observed.paths(_joined(list(self.by_key.values())).facts))))

    def _again(self) -> None:
        """The same shapes under their keys as they are now."""
        self._regroup({key: _key(observed.paths(shape.facts)) for key, shape in self.by_key.items()})

    def _regroup(self, keys: Mapping[Key, Key]) -> None:
        """Puts each shape under another key, together with what else has that key."""
        self._keys.clear()
        by_key: dict[Key, list[Shape]] = {}
        for before, shape in self.by_key.items():
            by_key.setdefault(keys[before], []).append(shape)
        self.by_key = {key: _joined(alike) for key, alike in by_key.items()}
        for key, shape in self.by_key.items():
            shape.key = key
        self.touched = set(self.by_key)
        moved = {before: keys.get(after, after) for before, after in self.gone.items()}
        self.gone = {before: after for before, after in (moved | dict(keys)).items() if before not in self.touched}


def _joined(alike: Sequence[Shape]) -> Shape:
    if len(alike) == 1:
        return alike[0]
    latest = max(alike, key=lambda shape: shape.last_us)
    days: dict[int, int] = {}
    for shape in alike:
        for day, count in shape.days.items():
            days[day] = days.get(day, 0) + count
    return Shape(
        facts=observed.merged(shape.facts for shape in alike),
        first_us=min(shape.first_us for shape in alike),
        last_us=latest.last_us,
        days=days,
        example_id=latest.example_id,
        example=latest.example,
        blocks=[block for shape in alike for block in shape.blocks],
    )


def _example(value: Json | msgspec.UnsetType, marks: Marks) -> Json | msgspec.UnsetType:
    if value is msgspec.UNSET:
        return value
    shown = redacted(value, marks)
    return shown if len(msgspec.msgpack.encode(shown)) <= MAX_EXAMPLE else msgspec.UNSET


def _holds_hidden(value: Json) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_hidden, value.values() if isinstance(value, dict) else value))
    return bool(value == HIDDEN)


def _by_signature(payloads: Sequence[Payload]) -> Iterable[tuple[Signature, list[Payload]]]:
    groups: dict[Signature, list[Payload]] = {}
    for payload in payloads:
        groups.setdefault(_signature_of(payload), []).append(payload)
    return groups.items()


def _converted(payload: Payload) -> Payload:
    try:
        return msgspec.structs.replace(payload, value=json_form(payload.value))
    except EncodeError:
        return msgspec.structs.replace(payload, value=msgspec.UNSET)


def _is_json(signature: Signature) -> bool:
    if isinstance(signature, tuple):
        names, kinds = signature
        return all(isinstance(name, str) for name in names) and all(map(_is_json, kinds))
    if isinstance(signature, frozenset):
        return all(map(_is_json, signature))
    return signature in TYPES or signature is msgspec.UnsetType


def _signature_of(payload: Payload) -> Signature:
    """The type of UNSET for what has none, because it is not kept or too deep."""
    try:
        return _signature(payload.value, MAX_DEPTH)
    except _TooDeep:
        return msgspec.UnsetType


def _signature(value: Any, depth: int) -> Signature:
    kind = type(value)
    if kind is dict:
        kinds = tuple(map(type, value.values()))
        if dict in kinds or list in kinds:
            if not depth:
                raise _TooDeep
            return tuple(value), tuple([_signature(inner, depth - 1) for inner in value.values()])
        return tuple(value), kinds
    if kind is list:
        inner = set(map(type, value))
        if dict in inner or list in inner:
            if not depth:
                raise _TooDeep
            return frozenset([_signature(item, depth - 1) for item in value])
        return frozenset(inner)
    return kind


def _paths(signature: Signature, maps: Maps, at: Path = ()) -> Iterator[tuple[Path, str]]:
    if isinstance(signature, tuple):
        yield at, "object"
        fixed = maps.get(at)
        for name, inner in zip(*signature, strict=True):
            kept = fixed is None or name in fixed
            yield from _paths(inner, maps, (*at, name if kept else ANY_NAME))
    elif isinstance(signature, frozenset):
        yield at, "array"
        for inner in signature:
            yield from _paths(inner, maps, (*at, ITEM))
    else:
        yield at, TYPES.get(signature, UNKNOWN)


def _wide(signature: Signature, maps: Maps, at: Path = ()) -> Iterator[Path]:
    """Where objects have more names than are kept, and are no maps yet."""
    if isinstance(signature, tuple):
        if len(signature[0]) > MAX_NAMES and at not in maps:
            yield at
        fixed = maps.get(at)
        for name, inner in zip(*signature, strict=True):
            yield from _wide(inner, maps, (*at, name if fixed is None or name in fixed else ANY_NAME))
    elif isinstance(signature, frozenset):
        for inner in signature:
            yield from _wide(inner, maps, (*at, ITEM))


def _objects(facts: PathFacts, at: Path = ()) -> Iterator[tuple[Path, Iterable[str], Iterable[str]]]:
    """Each object: its path, its names, and those of them that every one of these objects has."""
    for of in facts.types.values():
        if of.properties:
            yield at, of.properties, [name for name, inner in of.properties.items() if inner.count == of.count]
        for name, inner in _below(of):
            yield from _objects(inner, (*at, name))


def _maps(facts: PathFacts, at: Path = ()) -> Iterator[tuple[Path, frozenset[str]]]:
    for of in facts.types.values():
        if of.is_map:
            yield at, frozenset(of.properties)
        for name, inner in _below(of):
            yield from _maps(inner, (*at, name))


def _below(of: observed.TypeFacts) -> Iterator[tuple[str, PathFacts]]:
    yield from of.properties.items()
    if of.rest is not None:
        yield ANY_NAME, of.rest
    if of.items is not None:
        yield ITEM, of.items


def _key(paths: Iterable[tuple[Path, str]]) -> Key:
    return hashlib.sha256(msgspec.msgpack.encode(sorted(paths))).digest()[:16]

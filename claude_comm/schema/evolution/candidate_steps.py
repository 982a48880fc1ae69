"""Steps that might make a producer fit a consumer.

Law: a candidate claims nothing. It comes from the shallow readings of both schemas, where one of them lacks, names
differently or shapes differently what the other has; `adapt` proves which candidates help. Its `kind` does matter:
"safe" is only what keeps the meaning (a declared default, an unknown name dropped, a value wrapped or written out, an
alias that a contract declares); a likeness of names or a reading that may lose is a "guess".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from claude_comm.schema.evolution.adapter import Convert, Default, Drop, Place, Rename, Step, Widen, Wrap
from claude_comm.schema.evolution.shallow_schema import ShallowSchema, shallow
from claude_comm.schema.verdict import Json

# Names this alike are proposed as one: `user_id` and `userId` are the same once signs are left out; 0.72 still tells
# `first_name` from `last_name` and joins `customer_name` with `customerFullName`; that it joins
# `height` with `weight` is why it is a guess.
LIKENESS = 0.72
# Deeper than this an adapter is a rewrite that a person should write.
MAX_DEPTH = 8

StepKind: TypeAlias = Literal["safe", "guess"]
Aliases: TypeAlias = Mapping[str, Sequence[str]]


class CandidateStep(msgspec.Struct, frozen=True):
    """One step, whether it needs a guess, and what it does, in words."""

    step: Step
    kind: StepKind
    sentence: str


class _Pair(NamedTuple):
    """The same place on both sides."""

    ours: ShallowSchema
    theirs: ShallowSchema
    at: Place
    aliases: Aliases


def candidate_steps(produced: Json, accepted: Json, aliases: Aliases) -> Iterator[CandidateStep]:
    """Steps in an order in which they can be taken."""
    return _steps(_Pair(shallow(produced), shallow(accepted), (), aliases))


def _steps(pair: _Pair) -> Iterator[CandidateStep]:
    ours, theirs, at, aliases = pair
    if len(at) > MAX_DEPTH:
        return
    yield from _about_kinds(pair)
    if theirs.items is not None:
        if ours.items is not None:
            yield from _steps(_Pair(ours.items(), theirs.items(), (*at, None), aliases))
        elif "array" not in ours.kinds:
            # It will have been wrapped; what it still needs is said of the one item.
            yield from _steps(_Pair(ours, theirs.items(), (*at, None), aliases))
    if theirs.properties or theirs.closed:
        yield from _about_properties(pair)


# In order of preference: what each kind can be made from.
_CONVERSIONS: tuple[tuple[Literal["integer", "number", "string", "boolean"], frozenset[str]], ...] = (
    ("integer", frozenset(("number", "string"))),
    ("number", frozenset(("string",))),
    ("boolean", frozenset(("string",))),
    ("string", frozenset(("number",))),
)


def _about_kinds(pair: _Pair) -> Iterator[CandidateStep]:
    ours, theirs, at, _ = pair
    lacking = ours.kinds - theirs.kinds
    if "number" in theirs.kinds:
        lacking -= {"integer"}
    if "array" in theirs.kinds and lacking - {"null"} and "array" not in ours.kinds:
        yield CandidateStep(Wrap(at=at), "safe", f"{_where(at)} is put into an array")
        return
    if "string" in theirs.kinds and lacking & {"integer", "boolean"} and "number" not in lacking:
        yield CandidateStep(Widen(at=at), "safe", f"{_where(at)} is written out as text")
        return
    for kind, sources in _CONVERSIONS:
        if kind in theirs.kinds and lacking & sources:
            yield CandidateStep(
                Convert(at=at, to=kind), "guess", f"{_where(at)} is read as {kind}, which may lose or miss"
            )
            return


def _about_properties(pair: _Pair) -> Iterator[CandidateStep]:
    ours, theirs, at, aliases = pair
    moved: dict[str, str] = {}
    for name in theirs.properties:
        if name not in ours.properties:
            yield from _sources(pair, name, moved)
    for name, wanted in theirs.properties.items():
        source = moved.get(name, name)
        if source in ours.properties:
            child = _Pair(ours.properties[source](), wanted(), (*at, name), aliases)
            yield from _about_presence(child, name, always=source in ours.required, required=name in theirs.required)
            yield from _steps(child)
    if theirs.closed:
        for name in ours.properties:
            if name not in theirs.properties and name not in moved.values():
                sentence = f"`{name}` is left out{_of(at)}: the consumer knows no such name"
                yield CandidateStep(Drop(at=at, name=name), "safe", sentence)


def _sources(pair: _Pair, name: str, moved: dict[str, str]) -> Iterator[CandidateStep]:
    """Where a name that the producer does not have may come from: an alias, a default, a name much like it."""
    ours, theirs, at, aliases = pair
    free = [old for old in ours.properties if old not in theirs.properties and old not in moved.values()]
    declared = next((old for old in aliases.get(name, ()) if old in free), None)
    if declared is not None:
        moved[name] = declared
        sentence = f"`{declared}` becomes `{name}`{_of(at)}, a declared alias"
        yield CandidateStep(Rename(at=at, name=declared, to=name), "safe", sentence)
        return
    if name not in theirs.required:
        return
    default = theirs.properties[name]().default
    if default is not msgspec.UNSET:
        yield _filled(at, name, default)
        return
    alike = max(free, key=lambda old: _likeness(old, name), default=None)
    if alike is not None and _likeness(alike, name) >= LIKENESS:
        moved[name] = alike
        sentence = f"`{alike}` becomes `{name}`{_of(at)}, because the names are alike"
        yield CandidateStep(Rename(at=at, name=alike, to=name), "guess", sentence)


def _about_presence(pair: _Pair, name: str, *, always: bool, required: bool) -> Iterator[CandidateStep]:
    """A property `name` that both know, but that may be missing or null on one side only."""
    ours, theirs, at, _ = pair
    at = at[:-1]
    if required and not always and theirs.default is not msgspec.UNSET:
        yield _filled(at, name, theirs.default)
    if "null" in ours.kinds and "null" not in theirs.kinds:
        if theirs.default is not msgspec.UNSET:
            step = Default(at=at, name=name, value=theirs.default, when="null")
            yield CandidateStep(step, "safe", f"`{name}`{_of(at)} is given its declared default where it is null")
        elif not required:
            sentence = f"`{name}`{_of(at)} is left out where it is null: the consumer can do without it"
            yield CandidateStep(Drop(at=at, name=name, when="null"), "safe", sentence)


def _filled(at: Place, name: str, value: Json) -> CandidateStep:
    step = Default(at=at, name=name, value=value)
    return CandidateStep(step, "safe", f"`{name}`{_of(at)} is given its declared default where it is missing")


def _likeness(left: str, right: str) -> float:
    """How alike two names are, from 0 to 1, whatever their case and signs."""
    left, right = ("".join(char.lower() for char in name if char.isalnum()) for name in (left, right))
    return difflib.SequenceMatcher(None, left, right).ratio()


def _where(at: Place) -> str:
    return "`$" + "".join("[*]" if name is None else f".{name}" for name in at) + "`"


def _of(at: Place) -> str:
    return f" in {_where(at)}" if at else ""

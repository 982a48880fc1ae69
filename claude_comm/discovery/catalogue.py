"""The catalogue of registered contracts: an index that leads from a message to the schemas that may allow it.

Law: the index never drops an answer. A schema is left out only where its sketch, which holds of every message that it
allows, does not hold of the one that is asked about. What was compiled for a schema is kept with it.

A schema that allows objects stands under one of the names that it requires (the rarest, as far as is known), or under
none: so the names of a message lead to all schemas that it may fit, and to few others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Literal

from claude_comm.discovery.query import Direction
from claude_comm.discovery.sketch import Sketch, kind_of, property_kinds, sketch
from claude_comm.registry.contracts import Contract, Schema
from claude_comm.schema.opaque import Code, code_in
from claude_comm.schema.validation.validator import Validator, compile_validator
from claude_comm.schema.verdict import Json

_NO_NAME = ""


class SchemaEntry:
    """One schema of a contract, with its sketch. `target` is to whom a produced type goes, where that is declared."""

    __slots__ = ("_code", "_kinds", "_validator", "contract", "direction", "schema", "sketch", "target", "type")

    def __init__(self, contract: Contract, direction: Direction, type: str, schema: Schema, target: str = "") -> None:
        self.direction: Direction = direction
        self.contract, self.type, self.schema, self.target = contract, type, schema, target
        self.sketch: Sketch = sketch(schema)
        self._validator: Validator | None = None
        self._code: Code | Literal[False] | None = False
        self._kinds: dict[str, frozenset[str]] | None = None

    def validator(self) -> Validator:
        """The compiled schema. Raises SchemaError."""
        if self._validator is None:
            self._validator = compile_validator(self.schema)
        return self._validator

    def property_kinds(self) -> dict[str, frozenset[str]]:
        """The kinds of its objects' properties."""
        if self._kinds is None:
            self._kinds = property_kinds(self.schema)
        return self._kinds

    def code(self) -> Code | None:
        """What the schema leaves to code."""
        if self._code is False:
            self._code = code_in(self.schema)
        return self._code


class Catalogue:
    """Contracts by digest, and the index of their schemas. It never changes: `updated` makes another one."""

    def __init__(self, contracts: Mapping[str, Contract], known: Mapping[str, list[SchemaEntry]] | None = None) -> None:
        self.contracts, kept = dict(contracts), known or {}
        self._entries = {digest: kept.get(digest) or list(entries(c)) for digest, c in self.contracts.items()}
        self._shelves: dict[Direction, _Shelf] | None = None

    def updated(self, read: Mapping[str, Contract], listed: Collection[str]) -> Catalogue:
        """With these contracts, new or read again, and without those that are not listed any more."""
        contracts = {digest: contract for digest, contract in self.contracts.items() if digest in listed}
        # What was read again and is the same stays, with what was compiled for it.
        contracts |= {digest: contract for digest, contract in read.items() if contracts.get(digest) != contract}
        if contracts == self.contracts:
            return self
        known = {digest: own for digest, own in self._entries.items() if contracts.get(digest) is own_contract(own)}
        return Catalogue(contracts, known)

    def of(self, digest: str) -> list[SchemaEntry]:
        """The schemas of one contract."""
        return self._entries[digest]

    def candidates(self, direction: Direction, message: Json) -> list[SchemaEntry]:
        """The schemas that may allow this message: all that do, and few others."""
        if self._shelves is None:
            listed = [entry for of_contract in self._entries.values() for entry in of_contract]
            self._shelves = {way: _Shelf([e for e in listed if e.direction == way]) for way in _DIRECTIONS}
        return list(self._shelves[direction].candidates(message))


def own_contract(listed: list[SchemaEntry]) -> Contract | None:
    return listed[0].contract if listed else None


_DIRECTIONS: tuple[Direction, ...] = ("accepts", "produces")


def entries(contract: Contract) -> Iterator[SchemaEntry]:
    """Every schema of a contract, with what it is for."""
    for type, schema in contract.accepts.items():
        yield SchemaEntry(contract, "accepts", type, schema)
    for produced in contract.produces:
        yield SchemaEntry(contract, "produces", produced.type, produced.schema, produced.target)


class _Shelf:
    """The schemas of one direction, by kind; those for objects by one name that they require."""

    def __init__(self, listed: list[SchemaEntry]) -> None:
        frequency = Counter(name for entry in listed for name in entry.sketch.required)
        self._objects: dict[str, list[SchemaEntry]] = {}
        self._others: dict[str, list[SchemaEntry]] = {}
        for entry in listed:
            for kind in entry.sketch.kinds - {"object"}:
                self._others.setdefault(kind, []).append(entry)
            if "object" in entry.sketch.kinds:
                name = min(entry.sketch.required, key=lambda name: (frequency[name], name), default=_NO_NAME)
                self._objects.setdefault(name, []).append(entry)

    def candidates(self, message: Json) -> Iterator[SchemaEntry]:
        kind = kind_of(message)
        if not isinstance(message, Mapping):
            yield from self._others.get(kind, ())
            return
        names = message.keys()
        for name in {_NO_NAME, *names}:
            yield from (entry for entry in self._objects.get(name, ()) if entry.sketch.admits(kind, names))

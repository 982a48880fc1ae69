"""The file of a contract: Structs for what is accepted, sent and answered, and a handler for each accepted type.

Law: the file is complete and runs as it is; a handler that nobody has written yet says so when it is called. Where a
type takes more than its schema does, the schema stands beside it, and messages are held to both.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from claude_comm.interchange.imported import Note
from claude_comm.interchange.scaffold.layout import (
    WIDTH,
    CallExpression,
    Expression,
    laid_out,
    literal,
    paragraph,
    quoted,
    subscript,
)
from claude_comm.interchange.scaffold.types import Types
from claude_comm.registry.contracts import Contract, Produced, Schema
from claude_comm.schema.pointer import pointer

# Parts of a contract with a schema: `accepts`, `produces` and `replies`, and the type (of `produces`, the position).
Part = tuple[str, str]

_TYPING = ("Annotated", "Any", "Literal", "Union")


class Scaffold(msgspec.Struct, frozen=True):
    """The text of the file, and what its types do not say."""

    text: str
    notes: list[Note]


def scaffold(contract: Contract, *, beside: Collection[Part] = (), untyped: Collection[Part] = ()) -> Scaffold:
    """The file for this contract. The schemas of the parts in `beside` are written out beside their types; those in
    `untyped` have no type at all."""
    types = Types()
    writer = _Writer(contract, types, frozenset(beside), frozenset(untyped))
    handlers = list(writer.handlers())
    declared = list(writer.produced())
    body = "\n\n\n".join([*types.classes, *writer.constants, *declared, *handlers])
    head = _head(contract, body)
    return Scaffold(f"{head}\n\n\n{body}\n" if body else f"{head}\n", types.notes)


class _Writer:
    def __init__(self, contract: Contract, types: Types, beside: frozenset[Part], untyped: frozenset[Part]) -> None:
        self.contract, self.types, self.beside, self.untyped = contract, types, beside, untyped
        self.constants: list[str] = []
        self.names: set[str] = {"module"}

    def handlers(self) -> Iterator[str]:
        contract = self.contract
        for type, schema in contract.accepts.items():
            options: list[tuple[str, Expression]] = [("", quoted(type))]
            payload = self._type(("accepts", type), schema, type)
            if ("accepts", type) in self.beside:
                options.append(("accepts=", self._constant(type, schema)))
            if aliases := contract.aliases.get(type):
                options.append(("aliases=", literal(aliases)))
            if passes := contract.passes.get(type):
                options.append(("passes=", literal(passes)))
            reply = None
            if type in contract.replies:
                reply = self._type(("replies", type), contract.replies[type], f"{type} reply")
            yield self._handler(type, options, payload, reply)

    def produced(self) -> Iterator[str]:
        calls = []
        for index, sent in enumerate(self.contract.produces):
            shape = self._shape(index, sent)
            options: list[tuple[str, Expression]] = [("", quoted(sent.type)), ("", shape)]
            if sent.target:
                options.append(("target=", quoted(sent.target)))
            calls.append(laid_out(CallExpression("module.produces", tuple(options), "()")))
        if calls:
            yield "\n".join(calls)

    def _shape(self, index: int, sent: Produced) -> Expression:
        part = ("produces", str(index))
        if part in self.beside:
            return self._constant(f"{sent.type} sent", sent.schema)
        return self._type(part, sent.schema, sent.type)

    def _type(self, part: Part, schema: Schema, name: str) -> Expression:
        if part in self.untyped:
            return "Any"
        steps = (part[0], int(part[1]), "schema") if part[0] == "produces" else part
        return self.types.of(schema, name, "#" + pointer(steps))

    def _constant(self, name: str, schema: Schema) -> str:
        called = self._free(f"{_snake(name).upper()}_SCHEMA")
        flat = laid_out(literal(schema), before=len(called) + 3)
        self.constants.append(f"{called} = {flat}")
        return called

    def _handler(
        self, type: str, options: list[tuple[str, Expression]], payload: Expression, reply: Expression | None
    ) -> str:
        name = self._free(f"handle_{_snake(type)}")
        decorator = laid_out(CallExpression("@module.handles", tuple(options), "()"))
        # `-> None` says of a handler that its result is nothing; a reply that is null is said by its type.
        said_null = subscript("Literal", "None") if reply == "None" else reply
        result = "object" if said_null is None or said_null == "Any" else said_null
        after = len(f" -> {laid_out(result)}:")
        parameters = CallExpression(f"def {name}", (("payload: ", payload), ("context: ", "Context")), "()")
        opened = laid_out(parameters, after=after)
        last = opened.rpartition("\n")[2]
        answer = laid_out(result, before=len(last) + 4, after=1)
        said = f'    """Handles one {paragraph(type)} message."""'
        unwritten = f"    raise NotImplementedError({quoted(f'{name} is to be written')})"
        return f"{decorator}\n{opened} -> {answer}:\n{said}\n{unwritten}"

    def _free(self, wanted: str) -> str:
        start = f"TYPE_{wanted}" if wanted[0].isdigit() or wanted[0] == "_" else wanted
        name, count = start, 1
        while name in self.names:
            count += 1
            name = f"{start}_{count}"
        self.names.add(name)
        return name


def _snake(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").lower()


def _head(contract: Contract, body: str) -> str:
    """The docstring, the imports that the rest needs, and the module."""
    options: list[tuple[str, Expression]] = [("", quoted(contract.module)), ("version=", quoted(contract.version))]
    if contract.topics:
        options.append(("topics=", literal(contract.topics)))
    if contract.max_lag:
        options.append(("max_lag=", str(contract.max_lag)))
    for name, usual in (("compatibility", "none"), ("enforcement", "enforce")):
        if (chosen := getattr(contract, name)) != usual:
            options.append((f"{name}=", quoted(chosen)))
    used = [name for name in _TYPING if re.search(rf"\b{name}\b", body)]
    imports = [f"from typing import {', '.join(used)}"] if used else []
    structs = [name for name in ("Meta", "Struct") if re.search(rf"\b{name}\b", body)]
    outside = ["import msgspec"] if "msgspec." in body else []
    outside += [f"from msgspec import {', '.join(structs)}"] if structs else []
    own = "from claude_comm import Context, Module" if "Context" in body else "from claude_comm import Module"
    outside = sorted(outside, key=lambda line: line.startswith("from")) if outside else []
    words = f": {paragraph(contract.description)}" if contract.description else "."
    title = f"The module {contract.module} {contract.version}{words}"
    blocks = [f'"""{title[: WIDTH - 7]}"""', "from __future__ import annotations", "\n".join(imports)]
    blocks += ["\n".join(sorted([*outside, own], key=_import_order))]
    blocks += [laid_out(CallExpression("module = Module", tuple(options), "()"))]
    return "\n\n".join(block for block in blocks if block)


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from "), line

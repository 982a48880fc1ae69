"""One dialect for all that follows: any schema as a 2020-12 document whose references are all `#/$defs/NAME`.

Law: the normal form accepts exactly the values that the schema accepts. Annotations and unknown keywords are gone;
what has no exact form in 2020-12 becomes `{"$opaque": REASON}`, which the prover treats as "may accept anything, may
refuse anything". Draft 4 tells 1 from 1.0: its integers carry `$lexical`, which the validators pass over.

Theory of operation. The schema is read once from its root. Each keyword is rewritten by the rule that its dialect has
for it (`_RULES`, made from the table of keywords): most are kept, with the schemas in them rewritten in turn. A
reference is not followed on the spot: its target is named, the name is put on a list, and the targets on the list are
rewritten until none is left; so recursion costs nothing, and what nobody refers to is dropped. So the draft 7 schema

    {"definitions": {"node": {"items": [{"type": "string"}, {"$ref": "#"}], "additionalItems": false}},
     "$ref": "#/definitions/node", "minItems": 5}

becomes

    {"$ref": "#/$defs/node", "$defs": {"node": {"prefixItems": [{"type": "string"}, {"$ref": "#/$defs/root"}],
     "items": false}, "root": {"$ref": "#/$defs/node"}}}

where `minItems` is gone, because draft 7 ignores what stands beside a reference. A document without identifiers is
followed by its pointers; in any other a reference is resolved as `jsonschema-rs` resolves it, for that is
the validator whose verdicts are to be predicted.

References: JSON Schema core 2020-12, sections 8.2 (references and base addresses) and 7.7 (what a keyword is applied
to); the release notes of each draft for what its keywords became.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urldefrag, urljoin

import jsonschema_rs

from claude_comm.errors import SchemaError
from claude_comm.schema import keywords
from claude_comm.schema.dialect import DEFAULT, Dialect, dialect_of
from claude_comm.schema.dialect_number import NUMBER
from claude_comm.schema.limits import Measure
from claude_comm.schema.normalform.document import Document
from claude_comm.schema.normalform.validator_dialect import ADDRESSES, addressed
from claude_comm.schema.opaque import OPAQUE
from claude_comm.schema.pointer import follow, reference_to
from claude_comm.schema.verdict import Json

# The base that `jsonschema-rs` gives a document without a name, so that relative names are resolved alike.
_BASE = "json-schema:///"
_META = "https://json-schema.org/draft/"


def normalise(schema: Json, dialect: Dialect, size: Measure | None = None) -> Document:
    """The normal form of a schema that `measure` has passed, which gives its `size`, and the validator has compiled."""
    return _Normaliser(schema, dialect, size).run()


class _Normaliser:
    def __init__(self, root: Json, dialect: Dialect, size: Measure | None) -> None:
        # Most schemas have nothing that could be an address, and measuring has seen it.
        if size is None or not ADDRESSES.isdisjoint(size.names):
            root = addressed(root)
        self.root = root
        self.dialect: Dialect = dialect
        self.size = size
        self.names: dict[tuple[str, str], str] = {}
        self.origins: dict[str, str] = {}
        self.pending: list[tuple[str, Json, str, Dialect]] = []
        self.opaque = self.lexical = self.wanders = False
        # Whether identifiers and the like are to be looked for at all.
        self.marked = size is None or _marked(size.names, dialect)
        self.scan = _Scan(root, dialect) if self.marked else _NOTHING_SEEN
        self.base = str((_identifier(root, dialect) if self.marked else None) or _BASE)
        self._registry: jsonschema_rs.Registry | None = None

    def run(self) -> Document:
        whole = self.convert(self.root, self.base, self.dialect)
        definitions: dict[str, Json] = {}
        while self.pending:
            name, target, base, dialect = self.pending.pop()
            definitions[name] = self.convert(target, base, dialect, named=True)
        if definitions and isinstance(whole, dict):
            whole["$defs"] = definitions
        return Document(
            schema=whole,
            origins=self.origins,
            opaque=self.opaque,
            lexical=self.lexical,
            dynamic=self.wanders,
            size=self.size if self.dialect == DEFAULT else None,
        )

    def convert(self, schema: Json, base: str, dialect: Dialect, *, named: bool = False) -> Json:
        """The normal form of a schema. `named`: its own identifier is part of the base already, as with what a
        reference leads to."""
        if not isinstance(schema, dict) or (dialect == DEFAULT and _AS_IT_IS.issuperset(schema)):
            return schema
        if self.scan.foreign and schema is not self.root and _other(schema, self.dialect):
            return self.unknown("an embedded schema in another dialect")
        if "$ref" in schema and not _modern(dialect):
            return self.reference(schema["$ref"], base, dialect)
        identifier = _identifier(schema, dialect) if self.marked and not named else None
        if identifier and not identifier.startswith("#"):
            base = urljoin(base, identifier)
        out: dict[str, Json] = {}
        rules, plain = _RULES[dialect], dialect == DEFAULT
        for keyword, value in schema.items():
            rule = rules.get(keyword)
            # The three most frequent rules without a call.
            if rule is _keep:
                out[keyword] = value
            elif rule is _one:
                out[keyword] = self.convert(value, base, dialect)
            elif rule is _map:
                out[keyword] = {
                    # Most members are as they should be, and a call costs as much as seeing it.
                    key: item
                    if plain and type(item) is dict and _AS_IT_IS.issuperset(item)
                    else self.convert(item, base, dialect)
                    for key, item in value.items()
                }
            elif rule is not None:
                part = rule(self, _At(keyword, value, schema, base, dialect))
                if "allOf" in part and "allOf" in out:
                    part = {**part, "allOf": [*out["allOf"], *part["allOf"]]}
                out.update(part)
        return out

    def reference(self, reference: str, base: str, dialect: Dialect) -> dict[str, Json]:
        if self.scan.foreign:
            return self.unknown("a reference in a document that embeds another dialect")
        if reference == "#" and self.scan.plain and base == self.base:
            name = self.name((base, "#"), "#")
            if name not in self.origins:
                self.origins[name] = ""
                self.pending.append((name, self.root, self.base, self.dialect))
            return {"$ref": reference_to(name)}
        key = (base, reference)
        if key not in self.names:
            target = self.resolve(reference, base, dialect)
            if target is None:
                return self.unknown(f"the reference {reference!r} cannot be followed")
            name = self.name(key, reference)
            self.origins[name] = urldefrag(reference).fragment
            self.pending.append((name, *target))
        return {"$ref": reference_to(self.names[key])}

    def name(self, key: tuple[str, str], reference: str) -> str:
        if key not in self.names:
            last = "".join(char for char in reference.rsplit("/", 1)[-1] if char.isalnum() or char in "_-") or "root"
            self.names[key] = last if last not in self.origins else f"{last}.{len(self.names)}"
        return self.names[key]

    def resolve(self, reference: str, base: str, dialect: Dialect) -> tuple[Json, str, Dialect] | None:
        # A meta-schema that the document refers to has a base and pointers of its own.
        if self.scan.plain and base == self.base and reference.startswith("#/"):
            return _target(self.root, reference), self.base, self.dialect
        try:
            if self._registry is None:
                self._registry = jsonschema_rs.Registry(
                    [(self.base, self.root)], draft=NUMBER[self.dialect], retriever=_never
                )
            target = self._registry.resolver(base).lookup(reference)
        except (ValueError, jsonschema_rs.ReferencingError):
            return None
        return target.contents, target.resolver.base_uri, _DIALECTS.get(target.draft, dialect)

    def dynamic(self, keyword: str, reference: str, base: str, dialect: Dialect) -> Json:
        """A dynamic reference that can only ever lead to one place, or an opaque one."""
        if base.startswith(_META):
            pass  # the meta-schemas extend each other by just this
        elif keyword == "$recursiveRef":
            if self.scan.resources <= 1 or not self.scan.recursive_anchors:
                return self.reference(reference, base, dialect)
        else:
            fragment = urldefrag(reference).fragment
            if fragment.startswith("/") or not fragment or self.scan.dynamic_anchors.count(fragment) <= 1:
                return self.reference(reference, base, dialect)
        self.wanders = True
        return self.unknown(f"`{keyword}` whose target depends on the path that led to it")

    def unknown(self, reason: str) -> dict[str, Json]:
        self.opaque = True
        return {"$opaque": reason}


class _Scan:
    """What a document holds that makes references more than local pointers."""

    def __init__(self, root: Json, dialect: Dialect) -> None:
        self.resources = 0
        # Some schema inside speaks another dialect: then a reference may lead from one into the other.
        self.foreign = False
        self.dynamic_anchors: list[str] = []
        self.recursive_anchors = self.contains = False
        for schema in keywords.schemas(root):
            if _MARKS.isdisjoint(schema):
                continue
            self.resources += isinstance(schema.get("$id", schema.get("id")), str)
            self.foreign |= schema is not root and _other(schema, dialect)
            if isinstance(schema.get("$dynamicAnchor"), str):
                self.dynamic_anchors.append(schema["$dynamicAnchor"])
            self.contains |= "contains" in schema
            self.recursive_anchors |= schema.get("$recursiveAnchor") is True
        # An anchor makes no pointer lead elsewhere.
        self.plain = not self.resources


_NOTHING_SEEN = _Scan(True, DEFAULT)

_MARKS = keywords.IDENTIFIERS | {"$schema", "contains"}


def _marked(names: set[str], dialect: Dialect) -> bool:
    """Whether a document has members of these names that `_Scan` looks for; many a property is called `id`."""
    return not (_MARKS if dialect == "draft4" else _MARKS - {"id"}).isdisjoint(names)


def _other(schema: dict[str, Any], dialect: Dialect) -> bool:
    """Whether a schema says that it is written in another dialect."""
    try:
        return dialect_of(schema, dialect) != dialect
    except SchemaError:
        # `dialect_of` names no vocabulary of somebody's own.
        return True


def _identifier(schema: Json, dialect: Dialect) -> str | None:
    if not isinstance(schema, dict) or (not _modern(dialect) and "$ref" in schema):
        return None
    identifier = schema.get("id" if dialect == "draft4" else "$id")
    return identifier if isinstance(identifier, str) else None


def _target(root: Json, reference: str) -> Json:
    try:
        return follow(root, reference)
    except LookupError:
        raise SchemaError(f"the reference {reference!r} leads nowhere.") from None


def _never(uri: str) -> Json:
    raise LookupError(f"nothing is ever fetched: {uri}")


class _At(NamedTuple):
    """One keyword where it is written: its value, the schema around it, the base URI and the dialect there."""

    keyword: str
    value: Any
    schema: dict[str, Any]
    base: str
    dialect: Dialect


# What a keyword becomes in the normal form; parts of `allOf` are added to those of others.
_Part = dict[str, Any]
_Rule = Callable[[_Normaliser, _At], _Part]


def _keep(n: _Normaliser, at: _At) -> _Part:
    return {at.keyword: at.value}


def _one(n: _Normaliser, at: _At) -> _Part:
    return {at.keyword: n.convert(at.value, at.base, at.dialect)}


def _many(n: _Normaliser, at: _At) -> _Part:
    return {at.keyword: [n.convert(item, at.base, at.dialect) for item in at.value]}


def _map(n: _Normaliser, at: _At) -> _Part:
    return {at.keyword: {key: n.convert(item, at.base, at.dialect) for key, item in at.value.items()}}


def _branch(n: _Normaliser, at: _At) -> _Part:
    # Without an `if` it says nothing, and what it refers to is never asked.
    return _one(n, at) if "if" in at.schema else {}


def _ref(n: _Normaliser, at: _At) -> _Part:
    return n.reference(at.value, at.base, at.dialect)


def _dynamic(n: _Normaliser, at: _At) -> _Part:
    return {"allOf": [n.dynamic(at.keyword, at.value, at.base, at.dialect)]}


def _items_or_prefix(n: _Normaliser, at: _At) -> _Part:
    if not isinstance(at.value, list):
        return _one(n, at)
    part: _Part = {"prefixItems": [n.convert(item, at.base, at.dialect) for item in at.value]}
    if "additionalItems" in at.schema:
        part["items"] = n.convert(at.schema["additionalItems"], at.base, at.dialect)
    return part


def _dependencies(n: _Normaliser, at: _At) -> _Part:
    part: _Part = {}
    lists = {key: item for key, item in at.value.items() if isinstance(item, list)}
    if lists:
        part["dependentRequired"] = lists
    schemas = {key: item for key, item in at.value.items() if not isinstance(item, list)}
    if schemas:
        part["dependentSchemas"] = {key: n.convert(item, at.base, at.dialect) for key, item in schemas.items()}
    return part


def _old_bound(n: _Normaliser, at: _At) -> _Part:
    exclusive = "exclusive" + at.keyword.capitalize()
    return {exclusive if at.schema.get(exclusive) is True else at.keyword: at.value}


def _old_type(n: _Normaliser, at: _At) -> _Part:
    if "integer" not in (at.value if isinstance(at.value, list) else [at.value]):
        return {"type": at.value}
    n.lexical = True
    return {"type": at.value, "$lexical": True}


def _unevaluated_2019(n: _Normaliser, at: _At) -> _Part:
    # In 2019-09 `contains` does not count as evaluating an item; in 2020-12 it does.
    if n.scan.contains:
        return {"allOf": [n.unknown("`unevaluatedItems` of 2019-09 beside `contains`")]}
    return _one(n, at)


def _code(n: _Normaliser, at: _At) -> _Part:
    return {"allOf": [n.unknown(str(at.value))]}


# By what a keyword holds.
_BY_HOLDS: dict[keywords.Holds, _Rule] = {"data": _keep, "schema": _one, "list": _many, "map": _map}
# Those that mean something else than what they hold tells.
_OWN: dict[str, _Rule] = {
    **dict.fromkeys(("then", "else"), _branch),
    **dict.fromkeys(("$dynamicRef", "$recursiveRef"), _dynamic),
    "$ref": _ref,
    "dependencies": _dependencies,
}
# Those that meant something else in older dialects.
_OLD: dict[Dialect, dict[str, _Rule]] = {
    "draft4": {"items": _items_or_prefix, "minimum": _old_bound, "maximum": _old_bound, "type": _old_type},
    "draft6": {"items": _items_or_prefix},
    "draft7": {"items": _items_or_prefix},
    "draft2019-09": {"items": _items_or_prefix, "unevaluatedItems": _unevaluated_2019},
    "draft2020-12": {},
}
# `format` stays as the annotation that a reader of the normal form may want; `items` sees to `additionalItems`.
_KEPT = keywords.names(
    lambda row: row.role in ("assertion", "applicator", "reference") and row.name != "additionalItems"
)


def _rules(dialect: Dialect) -> dict[str, _Rule]:
    rules = {
        name: _OWN.get(name, _BY_HOLDS[keywords.TABLE[name].holds])
        for name in (*_KEPT, "format")
        if keywords.known(name, dialect)
    }
    return {**rules, **_OLD[dialect], OPAQUE: _code}


_RULES = {dialect: _rules(dialect) for dialect in NUMBER}
# What stays as it is, whatever stands beside it.
_AS_IT_IS = frozenset(name for name, rule in _RULES[DEFAULT].items() if rule is _keep)
_DIALECTS: dict[int, Dialect] = {number: dialect for dialect, number in NUMBER.items()}


def _modern(dialect: Dialect) -> bool:
    """Whether a reference may have siblings, which is so since 2019-09."""
    return keywords.known("$defs", dialect)

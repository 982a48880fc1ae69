"""References of a schema that stands inside another document.

Law: whoever reads the whole document resolves a reference from its root, as AsyncAPI tools do, whatever `$id` says.
So references of an embedded schema are written from there: `#/$defs/item` in a schema that stands at
`#/components/schemas/order/schema` becomes `#/components/schemas/order/schema/$defs/item`. A reference that leads out
of the schema (to a meta-schema) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote, urldefrag, urljoin

from claude_comm.errors import SchemaError
from claude_comm.interchange.literals import without_references
from claude_comm.schema import keywords
from claude_comm.schema.dialect import Dialect, dialect_of
from claude_comm.schema.pointer import escape, follow
from claude_comm.schema.verdict import Json

_ANCHORS = ("$anchor", "$dynamicAnchor")


def embedded(schema: Json, at: str) -> Json:
    """The schema as it stands in another document at this place, a pointer with its `#`. What it was called (`$id`)
    is kept as `x-id`: an address that no longer is the base of references would mislead."""
    if not isinstance(schema, dict):
        return schema
    dialect = dialect_of(schema)
    places = dict(_places(schema, "id" if dialect == "draft4" else "$id"))
    return _rewritten(schema, dialect, "", lambda base, reference: _placed(schema, places, at, base, reference))


def renamed(schema: Json, before: str, after: str) -> Json:
    """The schema with another address of its own, in its `$id` and in the references that say it in full."""
    if not isinstance(schema, dict):
        return schema

    def changed(part: Json, holds: keywords.Holds) -> Json:
        if isinstance(part, dict) and holds == "schema":
            part = {
                keyword: after + value[len(before) :] if _leads_to(keyword, value, before) else value
                for keyword, value in part.items()
            }
        return _mapped(part, holds, changed)

    return changed(schema, "schema")


def fragment(at: str, *steps: str) -> str:
    """The pointer `at` with further steps, as it is written in an address."""
    return at + "".join("/" + quote(escape(step), safe="~!$&'()*+,;=:@") for step in steps)


def _places(schema: dict[str, Json], identifier: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each address that a part of the schema has, by `$id` or by an anchor, with the steps to that part."""
    stack: list[tuple[Json, keywords.Holds, str, tuple[str, ...]]] = [(schema, "schema", "", ())]
    yield "", ()
    while stack:
        part, holds, base, steps = stack.pop()
        if isinstance(part, dict) and holds in ("schema", "unknown"):
            if isinstance(own := part.get(identifier), str):
                name, anchor = urldefrag(_join(base, own))
                # Older dialects write an anchor as an `$id` that is a fragment alone.
                yield (f"{name}#{anchor}" if anchor else name), steps
                base = base if own.startswith("#") else name
            for word in _ANCHORS:
                if isinstance(anchored := part.get(word), str):
                    yield f"{base}#{anchored}", steps
        for step, item, inner in keywords.inside(part, holds):
            stack.append((item, inner, base, (*steps, step)))


def _placed(
    schema: dict[str, Json], places: dict[str, tuple[str, ...]], at: str, base: str, reference: str
) -> str | None:
    address = _join(base, reference)
    if address in places:
        return fragment(at, *places[address])
    name, pointer = urldefrag(address)
    if name not in places or (pointer and not pointer.startswith("/")):
        return None
    start = fragment("#", *places[name])
    try:
        follow(schema, f"{start}{pointer}")
    except LookupError:
        return None
    return fragment(at, *places[name]) + pointer


def _rewritten(
    schema: Json, dialect: Dialect, base: str, place: Callable[[str, str], str | None], holds: keywords.Holds = "schema"
) -> Json:
    if isinstance(schema, dict) and holds in ("schema", "unknown"):
        identifier = "id" if dialect == "draft4" else "$id"
        schema = without_references(schema, dialect)
        if isinstance(own := schema.get(identifier), str):
            base = base if own.startswith("#") else urldefrag(_join(base, own)).url
            schema = {(f"x-{word.lstrip('$')}" if word == identifier else word): held for word, held in schema.items()}
        if isinstance(reference := schema.get("$ref"), str) and (placed := place(base, reference)) is not None:
            schema = {**schema, "$ref": placed}
    return _mapped(schema, holds, lambda part, inner: _rewritten(part, dialect, base, place, inner))


def _mapped(part: Json, holds: keywords.Holds, change: Callable[[Json, keywords.Holds], Json]) -> Json:
    """A value with each member changed, unless it is data."""
    if holds == "data" or not isinstance(part, dict | list):
        return part
    changed = {step: change(item, inner) for step, item, inner in keywords.inside(part, holds)}
    return changed if isinstance(part, dict) else list(changed.values())


def _leads_to(keyword: str, value: Json, address: str) -> bool:
    if keyword not in ("$id", "id", "$ref", "$dynamicRef", "$recursiveRef") or not isinstance(value, str):
        return False
    return value == address or value.startswith(f"{address}#")


def _join(base: str, reference: str) -> str:
    try:
        # `urljoin` drops an empty fragment, and leaves alone what it knows no hierarchy of, such as a URN.
        return base.partition("#")[0] + reference if reference.startswith("#") else urljoin(base, reference)
    except ValueError:
        raise SchemaError(f"the reference {reference!r} is no address") from None

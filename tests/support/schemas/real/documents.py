"""The whole corpus: every family in three of the five dialects, with two or three later versions of each.

Law: the same on every run and on every machine; a schema is valid in the dialect that it names.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from claude_comm.schema.dialect import URI, Dialect
from tests.support.schemas.real import applications, deployments, interfaces, languages, manifests, messages
from tests.support.schemas.real.versions import next_version, rewritten
from tests.support.schemas.real.words import Schema

GROUPS = (manifests, deployments, messages, interfaces, languages, applications)
FAMILIES = [family for group in GROUPS for family in group.FAMILIES]
DIALECTS: list[Dialect] = ["draft2020-12", "draft7", "draft2019-09", "draft4", "draft6"]
SEED = 20_261_128


class Document(NamedTuple):
    """One schema with its later versions, the oldest first."""

    name: str
    versions: list[Schema]


def corpus(seed: int = SEED) -> list[Document]:
    """About fifty documents; another seed gives other versions of the same."""
    found = []
    for at, family in enumerate(FAMILIES):
        for turn in range(3 if at % 8 else 4):
            dialect = DIALECTS[(at + turn * 2) % len(DIALECTS)] if turn else DEFAULTS[at % 2]
            chance = random.Random(f"{seed}/{family.__name__}/{turn}")
            found.append(Document(f"{family.__name__}/{dialect}/{turn}", _versions(family(), dialect, chance)))
    return found


DEFAULTS: list[Dialect] = ["draft2020-12", "draft7"]


def _versions(schema: Schema, dialect: Dialect, chance: random.Random) -> list[Schema]:
    found = [schema]
    for edits in (1, 3):
        found.append(next_version(found[-1], chance, edits))
    if chance.random() < 0.5:
        found.append(rewritten(found[-1], chance))
    return [{"$schema": URI[dialect], **spoken(version, dialect)} for version in found]


def spoken(schema: Any, dialect: Dialect) -> Any:
    """A schema of 2020-12 in the words of another dialect; what an old one cannot say is left out."""
    if isinstance(schema, list):
        return [spoken(item, dialect) for item in schema]
    if not isinstance(schema, dict) or dialect == "draft2020-12":
        return schema
    out: Schema = {}
    for keyword, value in schema.items():
        if keyword in ("properties", "patternProperties") and isinstance(value, dict):
            out[keyword] = {name: spoken(item, dialect) for name, item in value.items()}
        elif keyword == "$defs":
            out[_definitions(dialect)] = {name: spoken(item, dialect) for name, item in value.items()}
        elif keyword == "$ref" and isinstance(value, str):
            out["$ref"] = value.replace("#/$defs/", f"#/{_definitions(dialect)}/")
        elif keyword in ("enum", "required", "const"):
            out[keyword] = value
        else:
            out[keyword] = spoken(value, dialect)
    return _positions(out) if dialect == "draft2019-09" else _older(_positions(out), dialect)


def _definitions(dialect: Dialect) -> str:
    return "$defs" if dialect.startswith("draft20") else "definitions"


def _positions(schema: Schema) -> Schema:
    if not isinstance(schema.get("prefixItems"), list):
        return schema
    rest = {"additionalItems": schema["items"]} if "items" in schema else {}
    return {
        **{key: item for key, item in schema.items() if key not in ("prefixItems", "items")},
        "items": schema["prefixItems"],
        **rest,
    }


def _older(schema: Schema, dialect: Dialect) -> Schema:
    if isinstance(schema.get("dependentRequired"), dict):
        schema["dependencies"] = schema.pop("dependentRequired")
    if dialect == "draft7":
        return schema
    for keyword in ("if", "then", "else"):
        if isinstance(schema.get(keyword), dict):
            del schema[keyword]
    return _oldest(schema) if dialect == "draft4" else schema


def _oldest(schema: Schema) -> Schema:
    """Draft 4 has neither `const` nor boolean schemas nor bounds beside `exclusive`, and names itself by `id`."""
    if "$id" in schema:
        schema["id"] = schema.pop("$id")
    if "const" in schema and not isinstance(schema["const"], dict):
        schema["enum"] = [schema.pop("const")]
    if isinstance(schema.get("exclusiveMinimum"), int):
        schema["minimum"], schema["exclusiveMinimum"] = schema["exclusiveMinimum"], True
    schema.pop("propertyNames", None)
    for keyword in ("properties", "patternProperties"):
        if isinstance(schema.get(keyword), dict):
            schema[keyword] = {name: {} if item is True else item for name, item in schema[keyword].items()}
    for keyword, item in list(schema.items()):
        if item is True and keyword in ("items", "data", "example"):
            schema[keyword] = {}
    return schema

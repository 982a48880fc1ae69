"""Manifests and settings that a person writes and a tool reads: `$schema`, long lists, open beside listed values."""

from __future__ import annotations

from tests.support.schemas.real.words import (
    EMAIL,
    NAME,
    SEMVER,
    Schema,
    array,
    document,
    either,
    flag,
    listed,
    maps,
    matching,
    open_list,
    record,
    ref,
    text,
    whole,
)

LICENCES = [
    f"{family}-{version}" for family in ("GPL", "LGPL", "AGPL", "BSD", "MPL", "CC-BY") for version in range(1, 25)
]

RULES = [
    f"{group}/{verb}-{what}"
    for group in ("style", "bugs", "speed", "types", "safety")
    for verb in ("no", "use", "sort", "prefer", "require")
    for what in ("names", "imports", "loops", "casts", "returns", "spaces", "awaits", "literals")
]


def package() -> Schema:
    person = either(
        text(),
        record({"name": text(), "email": matching(EMAIL), "url": text(format="uri")}, "name", closed=True),
    )
    fields: Schema = {
        "$schema": text(),
        "name": matching(NAME, minLength=1, maxLength=214),
        "version": matching(SEMVER),
        "description": text(maxLength=500),
        "keywords": array(text(minLength=1), uniqueItems=True),
        "licence": open_list(*LICENCES),
        "author": ref("person"),
        "contributors": array(ref("person")),
        "files": array(text()),
        "main": text(default="index.js"),
        "exports": ref("exports"),
        "bin": either(text(), maps(text())),
        "repository": either(text(), record({"type": text(), "url": text(), "directory": text()}, "url")),
        "funding": either(ref("funding"), array(ref("funding"), minItems=1, uniqueItems=True)),
        "scripts": maps(text()),
        "dependencies": ref("dependencies"),
        "devDependencies": ref("dependencies"),
        "peerDependencies": ref("dependencies"),
        "engines": maps(text()),
        "os": array(listed("linux", "darwin", "win32", "!win32")),
        "private": flag(),
        "workspaces": either(array(text()), record({"packages": array(text()), "nohoist": array(text())})),
        "type": {"enum": ["module", "commonjs"], "default": "commonjs"},
    }
    return document(
        {**record(fields, "name", "version"), "patternProperties": {"^_": True}},
        {
            "person": person,
            "funding": either(text(), record({"url": text(), "type": text()}, "url")),
            "dependencies": maps(text()),
            "exports": either(
                text(),
                {"type": "null"},
                array(ref("exports")),
                {
                    "type": "object",
                    "properties": {name: ref("exports") for name in ("import", "require", "node", "default", "types")},
                    "patternProperties": {r"^\.": ref("exports")},
                },
            ),
        },
        "package manifest",
    )


def linter() -> Schema:
    severity = either(listed("off", "warn", "error"), whole(minimum=0, maximum=2))
    rule = either(ref("severity"), array(True, minItems=1))
    overrides = record(
        {"files": either(text(), array(text(), minItems=1)), "rules": ref("rules"), "env": ref("env")}, "files"
    )
    fields: Schema = {
        "$schema": text(),
        "root": flag(),
        "extends": either(text(), array(text())),
        "plugins": array(text(), uniqueItems=True),
        "env": ref("env"),
        "rules": ref("rules"),
        "overrides": array(ref("override")),
        "ignore": array(text()),
        "settings": {"type": "object"},
        "jobs": whole(minimum=0, maximum=64),
    }
    return document(
        record(fields, closed=True),
        {
            "severity": severity,
            "rule": rule,
            "rules": {
                "type": "object",
                "properties": {name: ref("rule") for name in RULES},
                "additionalProperties": ref("rule"),
            },
            "env": maps({"type": "boolean"}),
            "override": overrides,
        },
        "linter settings",
    )


def formatter() -> Schema:
    options: Schema = {
        "width": whole(minimum=1, maximum=320, default=80),
        "indent": {"type": "object", "properties": {"style": listed("tab", "space"), "size": whole(minimum=0)}},
        "quotes": listed("single", "double"),
        "semicolons": listed("always", "asNeeded"),
        "lineEnding": listed("lf", "crlf", "cr", "auto"),
        "trailingCommas": {"type": ["string", "null"], "enum": ["all", "es5", "none", None]},
    }
    languages = ("javascript", "json", "css", "markdown", "yaml", "python", "rust", "toml")
    nullable = {name: either(ref("options"), {"type": "null"}) for name in languages}
    return document(
        record(
            {
                "$schema": text(),
                **options,
                **nullable,
                "overrides": array(record({"include": array(text()), **options}, "include", closed=True)),
            },
            closed=True,
        ),
        {"options": record({"enabled": flag(True), **options}, closed=True)},
        "formatter settings",
    )


FAMILIES = [package, linter, formatter]

"""Expressions, charts and plugin lists: definitions that lead to definitions, and wide unions."""

from __future__ import annotations

from tests.support.schemas.real.words import (
    Schema,
    array,
    document,
    either,
    flag,
    listed,
    maps,
    matching,
    record,
    ref,
    tagged,
    text,
)


def tree() -> Schema:
    """Definitions that lead to definitions: a language of expressions."""
    binary = {
        name: {"left": ref("expression"), "right": ref("expression")}
        for name in ("+", "-", "*", "/", "and", "or", "=", "<")
    }
    unary = {name: {"operand": ref("expression")} for name in ("not", "neg")}
    return document(
        record({"statements": array(ref("statement")), "functions": maps(ref("function"), "^[a-z_]+$")}, "statements"),
        {
            "expression": {
                "anyOf": [*tagged("op", {**binary, **unary})["oneOf"], ref("literal"), ref("call"), ref("name")]
            },
            "literal": record({"value": {"type": ["number", "string", "boolean", "null"]}}, "value", closed=True),
            "name": record({"name": matching("^[a-z_]+$")}, "name", closed=True),
            "call": record(
                {"call": ref("name"), "arguments": array(ref("expression"), maxItems=20)}, "call", closed=True
            ),
            "function": record(
                {"parameters": array(ref("name"), uniqueItems=True), "body": array(ref("statement"))}, "body"
            ),
            "statement": tagged(
                "do",
                {
                    "let": {"name": ref("name"), "value": ref("expression")},
                    "while": {"test": ref("expression"), "body": array(ref("statement"))},
                    "if": {"test": ref("expression"), "then": array(ref("statement")), "else": array(ref("statement"))},
                    "return": {"value": ref("expression")},
                    "call": {"call": ref("call")},
                },
            ),
        },
        "expressions",
    )


def chart() -> Schema:
    """Wide: many properties, each with a value or a form of its own."""
    channels = ("x", "y", "color", "size", "shape", "opacity", "text", "detail", "row", "column", "order", "href")
    marks = ("bar", "line", "area", "point", "rule", "tick", "arc", "rect", "image", "geo")
    styles: Schema = {
        f"{side}{what}": either({"type": "number", "minimum": 0}, ref("signal"))
        for side in ("inner", "outer", "stroke", "label", "tick", "grid", "domain", "title")
        for what in ("Width", "Opacity", "Padding", "Offset", "Size")
    }
    unit = record(
        {
            "mark": either(ref("mark"), record({"type": ref("mark"), **styles}, "type", closed=True)),
            "encoding": ref("encoding"),
            "data": ref("data"),
            "transform": array(ref("transform")),
        },
        "mark",
        closed=True,
    )
    return document(
        either(ref("unit"), ref("layer"), ref("concat")),
        {
            "signal": record({"signal": text()}, "signal", closed=True),
            "mark": listed(*marks),
            "encoding": record(
                {name: either(ref("field"), ref("value"), {"type": "null"}) for name in channels}, closed=True
            ),
            "field": record(
                {
                    "field": text(),
                    "type": listed("quantitative", "ordinal", "nominal", "temporal"),
                    "bin": either(flag(), record({"step": {"type": "number"}})),
                    "scale": record(styles),
                },
                "field",
            ),
            "value": record({"value": {"type": ["number", "string", "null"]}}, "value", closed=True),
            "data": either(
                record({"url": text(), "format": maps(True)}, "url"),
                record({"values": {"type": "array"}}, "values"),
                record({"name": text()}, "name"),
                {"type": "null"},
            ),
            "transform": tagged(
                "kind",
                {
                    name: {"as": text(), "test": text(), "fields": array(text())}
                    for name in ("filter", "calculate", "fold", "bin", "sample", "window", "lookup", "stack")
                },
            ),
            "unit": unit,
            "layer": record(
                {
                    "layer": array(either(ref("unit"), ref("layer")), minItems=1),
                    "data": ref("data"),
                    "config": ref("config"),
                },
                "layer",
                closed=True,
            ),
            "concat": record(
                {"concat": array(either(ref("unit"), ref("layer"), ref("concat"))), "config": ref("config")},
                "concat",
                closed=True,
            ),
            "config": record({mark: record(styles) for mark in marks}, closed=True),
        },
        "charts",
    )


def plugins() -> Schema:
    """Listed names in a union of long lists and of forms for each name."""
    names = [
        f"plugin-{first}-{second}"
        for first in ("transform", "syntax", "preset", "minify", "proposal")
        for second in (
            "arrow",
            "class",
            "spread",
            "async",
            "jsx",
            "types",
            "regex",
            "modules",
            "private",
            "meta",
            "await",
            "bigint",
            "chain",
            "default",
            "export",
            "import",
        )
    ]
    forms = [
        {
            "type": "array",
            "prefixItems": [{"const": name}, record({"loose": flag(), "spec": flag(), name[:9]: text()}, closed=True)],
            "minItems": 1,
            "maxItems": 2,
        }
        for name in names
    ]
    return document(
        record(
            {
                "$schema": text(),
                "plugins": array(ref("plugin")),
                "presets": array(ref("plugin")),
                "env": maps(record({"plugins": array(ref("plugin"))})),
                "ignore": array(text()),
            }
        ),
        {"plugin": either(listed(*names), *forms, matching(r"^\.{0,2}/"))},
        "plugin list",
    )


FAMILIES = [tree, chart, plugins]

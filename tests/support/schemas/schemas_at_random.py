"""Random schemas and values over few names and kinds, so that they meet each other often."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", "7", "-12", "1.5", "true", "007"])
LEAVES = st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from([1.0, 0.5, 2.5, -1.5]) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
KINDS = ["null", "boolean", "integer", "number", "string", "array", "object"]
BASIC = st.one_of(
    st.just({}),
    st.just(True),
    st.sampled_from(KINDS).map(lambda kind: {"type": kind}),
    st.lists(st.sampled_from(KINDS), min_size=2, max_size=3, unique=True).map(lambda kinds: {"type": kinds}),
    st.lists(VALUES, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    st.just({"type": "string", "pattern": "^-?[1-9]+$"}),
    st.just({"type": "string", "pattern": "^(true|false)$"}),
    st.just({"type": "number", "minimum": 0.5, "maximum": 2.5}),
    st.just({"$ref": "#/$defs/d"}),
)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, min_size=1, max_size=3)},
        optional={
            "required": st.lists(NAMES, unique=True, max_size=2),
            "additionalProperties": st.just(False) | inner,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b|c"]), inner, max_size=1),
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(1, 3),
            "propertyNames": st.just({"pattern": "a|b"}),
            "dependentRequired": st.just({"a": ["b"]}),
            "unevaluatedProperties": st.just(False),
        },
    )
    arrays = st.fixed_dictionaries(
        {"items": inner},
        optional={
            "type": st.just("array"),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "uniqueItems": st.just(True),
            "contains": inner,
            "minItems": st.integers(0, 2),
        },
    )
    pairs = st.lists(inner, min_size=1, max_size=2)
    compositions = st.one_of(
        pairs.map(lambda parts: {"allOf": parts}),
        pairs.map(lambda parts: {"anyOf": parts, "unevaluatedProperties": False}),
        pairs.map(lambda parts: {"oneOf": parts}),
        st.tuples(inner, inner, inner).map(lambda three: dict(zip(("if", "then", "else"), three, strict=True))),
        inner.map(lambda part: {"not": part}),
    )
    return objects | arrays | compositions


SCHEMAS = st.recursive(BASIC, _composed, max_leaves=6)

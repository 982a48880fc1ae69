"""The keyword rules of `jsonschema`, run without the state that its validators carry from schema to schema.

Law: every keyword is judged by `jsonschema`'s own rule; only the walk from rule to rule is made here. So it says of
each value what a validator of `jsonschema` says, of schemas in which nothing has a name of its own and each reference
is `#/$defs/NAME` (see `bare`): there a rule asks for nothing but the walk, and types.

`jsonschema` makes a validator anew for every value that it descends to, because a schema there may have another base
address or dialect. Most of the time of a witness went into that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from claude_comm.schema import keywords
from claude_comm.schema.dialect import Dialect
from claude_comm.schema.verdict import Json

Rule = Callable[[Any, Json, Json, Json], Iterable[Exception] | None]
# Until 2019-09 what stands beside a reference is not looked at.
_MODERN: frozenset[Dialect] = frozenset(("draft2019-09", "draft2020-12"))
_STATEFUL = tuple(f'"{name}"'.encode() for name in sorted(keywords.STATEFUL))
_REFERENCE = re.compile(rb'"\$ref"')
_LOCAL = re.compile(rb'"\$ref": ?"#/\$defs/([A-Za-z0-9_-]+)"')


def bare(schema: Json, text: bytes, dialect: Dialect) -> bool:
    """Whether nothing in a schema, which has this `text`, has a name, and each reference is to a plain definition."""
    if dialect not in _MODERN or not isinstance(schema, dict):
        return False
    if b'"$' not in text and b'"unevaluated' not in text:
        return True
    if any(name in text for name in _STATEFUL):
        return False
    names, definitions = _LOCAL.findall(text), schema.get("$defs")
    return len(names) == len(_REFERENCE.findall(text)) and (
        not names or (isinstance(definitions, dict) and all(name.decode() in definitions for name in names))
    )


class RulesAlone:
    """What a rule takes for the validator that it belongs to, for a whole document: see `bare`."""

    __slots__ = ("_root", "_rules", "is_type", "schema")
    format_checker = None

    def __init__(self, schema: Json, rules: Mapping[str, Rule], is_type: Callable[[Json, str], bool]) -> None:
        self.schema, self.is_type = schema, is_type
        self._rules, self._root = rules, schema

    def is_valid(self, instance: Json) -> bool:
        """Whether no rule refuses the instance."""
        return next(self.descend(instance, self.schema), None) is None

    def iter_errors(self, instance: Json) -> Iterator[Exception]:
        """The refusals of the instance, without the places that a validator adds."""
        return self.descend(instance, self.schema)

    def descend(
        self, instance: Json, schema: Json, path: object = None, schema_path: object = None
    ) -> Iterator[Exception]:
        """The refusals of a value by a schema; the two paths, for which nobody asks here, are not kept."""
        if schema is True:
            return
        if schema is False:
            yield _Refused()
            return
        rules = self._rules
        for keyword, value in schema.items():
            rule = rules.get(keyword)
            if rule is not None:
                yield from rule(self, value, instance, schema) or ()

    def evolve(self, *, schema: Json) -> RulesAlone:
        """The same for a schema inside this one."""
        inner = RulesAlone(schema, self._rules, self.is_type)
        inner._root = self._root
        return inner

    def _validate_reference(self, ref: str, instance: Json) -> Iterator[Exception]:
        return self.descend(instance, self._root["$defs"][ref.removeprefix("#/$defs/")])


class _Refused(Exception):
    """The schema `false` refuses everything."""

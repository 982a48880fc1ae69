"""Where in a message and in a schema an error lies: `jsonschema-rs` leaves out keys that are the empty text, and has
digits as numbers.

Law: the path that is returned leads to a value of the message, the refused one where the error names it, and in the
schema to the keyword that refuses; where no path does, the one of the error is returned as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from claude_comm.schema import keywords
from claude_comm.schema.verdict import Json

Path = tuple[str | int, ...]
_MISSING = object()


def true_path(message: Json, path: Sequence[str | int], refused: Json = _MISSING) -> Path:
    """The path in `message` that an error's `path` stands for; `refused` is the value that it names, if it does."""
    # Most messages have neither kind of key.
    if not _is_unclear(message, path):
        return tuple(path)
    exact = next(_paths(message, tuple(path), refused), None)
    return exact if exact is not None else next(_paths(message, tuple(path), _MISSING), tuple(path))


def true_schema_path(schema: Json, path: Sequence[str | int], rule: str) -> Path:
    """The path in `schema` that an error's `path` stands for; `rule` is the keyword that it ends with."""
    if not _is_unclear(schema, path):
        return tuple(path)
    if rule == "false schema":
        return next(_paths(schema, tuple(path), False), tuple(path))
    exact = _paths(schema, tuple(path), _MISSING)
    return next((path for path in exact if ends_with_keyword(path)), tuple(path))


def ends_with_keyword(path: Path) -> bool:
    """Whether the last step is a keyword: a property may be called like one."""
    holds: keywords.Holds = "schema"
    for step in path[:-1]:
        holds = keywords.member(holds, step if isinstance(step, str) else "")
    return holds in ("schema", "unknown")


def _is_unclear(message: Json, path: Sequence[str | int]) -> bool:
    value = message
    for step in (*path, None):
        if isinstance(value, dict):
            if "" in value or isinstance(step, int) or (step is not None and step not in value):
                return True
            value = value[step] if step is not None else None
        elif step is not None:
            if not (isinstance(value, list) and isinstance(step, int) and step < len(value)):
                return True
            value = value[step]
    return False


def _paths(value: Json, path: Path, refused: Json) -> Iterator[Path]:
    """The paths that read like `path` once empty keys are left out, the shortest first."""
    if not path and (refused is _MISSING or _equal(value, refused)):
        yield ()
    if isinstance(value, dict):
        for key in _keys(value, path[0]) if path else ():
            yield from ((key, *rest) for rest in _paths(value[key], path[1:], refused))
        if "" in value:
            yield from (("", *rest) for rest in _paths(value[""], path, refused))
    elif path and isinstance(value, list) and isinstance(path[0], int) and path[0] < len(value):
        yield from ((path[0], *rest) for rest in _paths(value[path[0]], path[1:], refused))


def _keys(value: dict[str, Json], step: str | int) -> list[str]:
    """The keys that an error may give as this step."""
    if isinstance(step, str):
        return [step] if step in value else []
    written = str(step)
    return [key for key in value if key == written or (key.isdecimal() and key.isascii() and int(key) == step)]


def _equal(left: Json, right: Json) -> bool:
    return type(left) is type(right) and bool(left == right)

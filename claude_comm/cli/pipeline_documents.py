"""Pipeline documents as they are handed to commands: JSON, TOML or YAML, by the ending of the file's name.

Law: whatever the notation is, what comes out is a JSON value; a file that holds none is a ConfigurationError that names
it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from claude_comm.cli import documents
from claude_comm.documents import form
from claude_comm.documents.form import DocumentProblem
from claude_comm.errors import ConfigurationError
from claude_comm.schema.validation.phrases import place
from claude_comm.schema.verdict import Json

_YAML = (".yaml", ".yml")
# The aliases of YAML write a few lines that are a million values; a value that holds itself has no end.
MAX_VALUES, MAX_DEPTH = 200_000, 200


def read(name: str) -> Json:
    """The document in this file, or in JSON on stdin for `-`."""
    suffix = Path(name).suffix.lower() if name != "-" else ""
    if suffix == ".toml":
        return _toml(name)
    return _yaml(name) if suffix in _YAML else documents.read(name)


def _toml(name: str) -> Json:
    try:
        value = tomllib.loads(documents.read_text(name))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name} is not TOML: {error}.") from None
    return _as_json(value, name)


def _yaml(name: str) -> Json:
    text = documents.read_text(name)
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(
            f"{name} is YAML, for which PyYAML is needed: pip install 'claude-comm[yaml]', or write it as JSON or TOML."
        ) from None
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"{name} is not YAML: {' '.join(str(error).split())}.") from None
    return _as_json(value, name)


def _as_json(value: Any, name: str) -> Json:
    """The value itself, once it is one that JSON has: a date, or a key that is no text, has to be put into quotes."""
    if problems := list(_foreign(value, name)):
        form.raise_invalid(name, problems)
    return msgspec.json.decode(msgspec.json.encode(value))


def _foreign(root: Any, name: str) -> Iterator[DocumentProblem]:
    ahead: list[tuple[Any, tuple[str | int, ...]]] = [(root, ())]
    seen = 0
    while ahead:
        value, at = ahead.pop()
        seen += 1
        if seen > MAX_VALUES or len(at) > MAX_DEPTH:
            raise ConfigurationError(
                f"{name} has more than {MAX_VALUES:,} values, or is nested more than {MAX_DEPTH} deep: no pipeline is."
            )
        if isinstance(value, dict):
            for key, item in value.items():
                if isinstance(key, str):
                    ahead.append((item, (*at, key)))
                else:
                    yield DocumentProblem(place(at), f"the key {key!r} is a {type(key).__name__}: put it into quotes.")
        elif isinstance(value, list):
            ahead += [(item, (*at, index)) for index, item in enumerate(value)]
        elif value is not None and not isinstance(value, bool | int | float | str):
            kind = type(value).__name__
            yield DocumentProblem(place(at), f"{value} is a {kind}, which JSON does not have: put it into quotes.")

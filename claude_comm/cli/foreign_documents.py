"""Documents of other formats, in JSON or YAML.

Law: YAML is read as OpenAPI and AsyncAPI ask, as far as JSON goes: a date is text, `yes` and `on` are text, and a key
is text, so that the response `200:` is one. A file that holds no JSON value is a ConfigurationError that names it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from claude_comm.cli import documents
from claude_comm.errors import ConfigurationError
from claude_comm.schema.verdict import Json

origin = documents.origin

_YAML = (".yaml", ".yml")
# The aliases of YAML write a few lines that are a million values; a value that holds itself has no end.
_MAX_VALUES, _MAX_DEPTH = 2_000_000, 200
# What YAML 1.1 reads out of plain text, and JSON does not have.
_AS_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")


def read(name: str) -> Json:
    """The value in this file, or in JSON on stdin for `-`. Raises ConfigurationError."""
    if Path(name).suffix.lower() not in _YAML or name == "-":
        return documents.read(name)
    text = documents.read_text(name)
    try:
        import yaml
    except ImportError:
        raise ConfigurationError(
            f"{name} is YAML, for which PyYAML is needed: pip install 'claude-comm[yaml]', or write it as JSON."
        ) from None
    try:
        value = yaml.load(text, Loader=_loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigurationError(f"{name} is not YAML: {' '.join(str(error).split())}.") from None
    return _Reading(name).json(value, 0)


@functools.cache
def _loader() -> Any:
    """A safe loader that leaves as text what JSON has no word for."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        """YAML with the plain values of JSON."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AS_TEXT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    import re

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
    return Loader


class _Reading:
    def __init__(self, name: str) -> None:
        self.name, self.values = name, 0

    def json(self, value: Any, depth: int) -> Json:
        self.values += 1
        if self.values > _MAX_VALUES or depth > _MAX_DEPTH:
            raise ConfigurationError(
                f"{self.name} has more than {_MAX_VALUES:,} values, or is nested more than {_MAX_DEPTH} deep."
            )
        if isinstance(value, dict):
            return {_key(key): self.json(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.json(item, depth + 1) for item in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float) and value - value == 0:
            return value
        raise ConfigurationError(f"{self.name} holds {value!r}, a {type(value).__name__}, which JSON does not have.")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)

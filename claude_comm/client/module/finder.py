"""Finding a Module object by where it is: `package.file:name` or `path/file.py:name`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from claude_comm.client.module.module import Module
from claude_comm.errors import ConfigurationError, NotFound

DEFAULT_NAME = "module"


def find_module(target: str) -> Module:
    """The Module at that place. Raises NotFound or ConfigurationError; what the file itself raises comes through."""
    place, _, name = target.partition(":")
    imported = _from_file(Path(place)) if place.endswith(".py") else _from_package(place)
    module = getattr(imported, name or DEFAULT_NAME, None)
    if isinstance(module, Module):
        return module
    names = sorted(name for name, value in vars(imported).items() if isinstance(value, Module))
    raise NotFound(f"{place} has no Module called {name or DEFAULT_NAME!r}; it has: {', '.join(names) or 'none'}.")


def _from_package(place: str) -> ModuleType:
    if not all(part.isidentifier() for part in place.split(".")):
        raise ConfigurationError(f"{place!r} names nothing: give PACKAGE.FILE:MODULE or PATH.py:MODULE.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not (place == error.name or place.startswith(error.name + ".")):
            raise  # a defect of that file, which its traceback names
        raise NotFound(f"there is no {place!r} to import from {Path.cwd()}: give PACKAGE.FILE:MODULE.") from None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise NotFound(f"there is no file {path}.")
    sys.path.insert(0, str(path.parent.absolute()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is not a Python file.")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)
    return loaded

"""Which files the demo reads."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import claude_comm
from claude_comm.errors import ConfigurationError, NotFound

# More would not fit into the minute that the demo may take.
MAX_FILES = 1_000
# A larger file is data, not text to search in.
MAX_BYTES = 2 * 1024 * 1024


def files(folder: Path | None) -> list[Path]:
    """The files of the folder, below it too; without one, our own docs and the METADATA of installed packages.

    Hidden ones and very large ones are left out. Raises NotFound or ConfigurationError.
    """
    paths = _own() if folder is None else _below(folder)
    if not paths:
        raise NotFound(f"there is no file to read in {folder or 'the installed packages'}.")
    return paths[:MAX_FILES]


def _own() -> list[Path]:
    docs = Path(claude_comm.__file__).parents[1] / "docs"
    pages = sorted(docs.glob("*.md")) if docs.is_dir() else []
    return [*pages, *_metadata()]


def _metadata() -> list[Path]:
    paths = [
        Path(str(file.locate()))
        for distribution in metadata.distributions()
        for file in distribution.files or ()
        if file.name == "METADATA" and file.parent.name.endswith(".dist-info")
    ]
    return sorted({path for path in paths if path.is_file()})


def _below(folder: Path) -> list[Path]:
    if not folder.exists():
        raise NotFound(f"there is no folder {folder}.")
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file; give the folder that it is in.")
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise ConfigurationError(f"the folder {folder} cannot be read: {error.strerror}.") from None
    paths: list[Path] = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(where, name) for name in sorted(names) if not name.startswith(".")]
        if len(paths) > 10 * MAX_FILES:
            break
    return [path for path in paths if _fits(path)]


def _fits(path: Path) -> bool:
    """Whether to read it. A pipe or a device would block; a file without a readable status is tried, and reported."""
    try:
        return path.is_file() and path.stat().st_size <= MAX_BYTES
    except OSError:
        return True

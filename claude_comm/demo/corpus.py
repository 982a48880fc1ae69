"""Which files the demo reads."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import claude_comm
from claude_comm.errors import ConfigurationError, NotFound

# More would not fit into the minute that the demo may take.
MAX_FILES = 1_000
# A larger file is data, not text to search in.
MAX_BYTES = 2 * 1024 * 1024


def files(folder: Path | None) -> list[Path]:
    """The files of the folder, below it too; without one, our own docs and the METADATA of installed packages.

    Left out are hidden ones, very large ones, and links that lead out of the folder.

    Raises NotFound or ConfigurationError.
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
    # The modules run in the home folder: what they are told has to be a path from everywhere.
    root = folder.absolute()
    paths: list[Path] = []
    for where, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(where, name) for name in sorted(names) if not name.startswith(".")]
        if len(paths) > 10 * MAX_FILES:
            break
    real_root = root.resolve()
    return [path for path in paths if _lies_in(real_root, path) and _fits(path)]


def _lies_in(real_root: Path, path: Path) -> bool:
    """Whether it is not a link that leads out of the folder."""
    return not path.is_symlink() or path.resolve().is_relative_to(real_root)


def uri(path: Path) -> str:
    """The path as text that a message can carry, whatever bytes its name has."""
    return path.as_uri()


def path_of(uri: str) -> Path:
    """The path in a `uri`, to the byte."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def _fits(path: Path) -> bool:
    """Whether to read it. A pipe or a device would block; a file without a readable status is tried, and reported."""
    try:
        return path.is_file() and path.stat().st_size <= MAX_BYTES
    except OSError:
        return True

"""The lock that the server process of a home holds for as long as it lives.

Law: the server inherits the descriptors that hold it, so that the lock tells the truth about a process that answers
nothing: a frozen one, one whose socket or whole home was deleted. It is taken on two files: one in the home, for every
process that sees this folder, and one outside of it by the home's path, which stays when the home is deleted.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from claude_comm.errors import ConfigurationError
from claude_comm.runtime.home import private_folder


def outside(home: Path, kind: str) -> Path:
    """A short path by the name of this home, in a folder of this user alone that is not in the home."""
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    import tempfile  # 10 ms of every command

    return private_folder(Path(tempfile.gettempdir()) / f"claude-comm-{os.getuid()}") / f"{digest}.{kind}"


def take(home: Path) -> list[int] | None:
    """Descriptors that hold the lock, for a server to inherit; None while a server holds it."""
    taken: list[int] = []
    for path in _paths(home):
        descriptor = _open(path)
        taken.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            give_up(taken)
            return None
    return taken


def give_up(descriptors: Sequence[int]) -> None:
    """Closes them: the lock stays with whoever inherited them."""
    for descriptor in descriptors:
        os.close(descriptor)


def say(descriptors: Sequence[int], pid: int) -> None:
    """Says which process holds the lock."""
    for descriptor in descriptors:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(pid).encode(), 0)


def forget(home: Path) -> None:
    """Removes the file outside of the home, once its server has ended."""
    taken = take(home)
    if taken is not None:
        outside(home, "running").unlink(missing_ok=True)
        give_up(taken)


def holder(home: Path) -> int | None:
    """The process that holds the lock; None where none does, 0 where it did not say which it is."""
    taken = take(home)
    if taken is not None:
        give_up(taken)
        return None
    for path in _paths(home):
        with suppress(OSError, ValueError):
            return int(path.read_text())
    return 0


def _paths(home: Path) -> tuple[Path, Path]:
    return home / "server" / "running", outside(home, "running")


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}. Set CLAUDE_COMM_HOME.") from None

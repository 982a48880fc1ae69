"""The home folder: made for its user alone, and refused where somebody else may change what is in it.

Law: a folder or a file that is made here can be read by its user only, whatever the umask says. A folder that another
user owns, or may write to, is not used: whoever may write there decides what our processes run and believe.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from claude_comm.errors import ConfigurationError

_OTHERS_WRITE, _GROUP_WRITES = 0o002, 0o020
# A log, of a worker or of the private server, and one older part of it take twice that at the most.
MAX_LOG_BYTES = 10 * 1024 * 1024


def private_folder(folder: Path) -> Path:
    """The folder, made for this user alone if it is missing. Raises ConfigurationError."""
    try:
        make_private_folders(folder)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {folder} cannot be used: {error.strerror}. Set CLAUDE_COMM_HOME."
        ) from None
    require_private(folder)
    return folder


def require_private(folder: Path) -> None:
    """Refuses a folder that belongs to another user, that others may write to, or that cannot be entered; one that does
    not exist yet is fine. Raises ConfigurationError."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"the folder {folder} cannot be used: {error.strerror}. Set CLAUDE_COMM_HOME."
        ) from None
    if status.st_uid != os.getuid():
        raise ConfigurationError(f"the folder {folder} belongs to another user. Set CLAUDE_COMM_HOME to one of yours.")
    if others_may_write(status):
        raise ConfigurationError(
            f"other users may write to the folder {folder}. Run `chmod go-w {folder}`, or set CLAUDE_COMM_HOME."
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"the folder {folder} cannot be read and written. Set CLAUDE_COMM_HOME.")


def others_may_write(status: os.stat_result) -> bool:
    """Whether somebody beside its owner may write. The owner's own group does not count: where users have groups of
    their own, what they make is writable for the group."""
    own_group = status.st_gid == os.getgid()
    return bool(status.st_mode & _OTHERS_WRITE) or (bool(status.st_mode & _GROUP_WRITES) and not own_group)


def make_private_folders(folder: Path) -> None:
    """Makes the folder, and those that are missing above it, for this user alone. Raises OSError."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def log_files(home: Path) -> list[Path]:
    """The logs of the workers and of the private server, as far as there are any."""
    return [*sorted(home.glob("logs/*.log")), *home.glob("server/server.log")]


def log_bytes(home: Path) -> int:
    """What the logs take, with their older parts."""
    paths = [part for path in log_files(home) for part in (path, older_part(path)) if part.exists()]
    return sum(path.stat().st_size for path in paths)


def older_part(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def rotate(path: Path, max_bytes: int) -> bool:
    """Moves what a log file holds to `NAME.1` once it is that long, and empties it; whether it did.

    Whoever writes appends and keeps the file open, so it is copied and cut, not renamed; what is written in between is
    lost. Raises OSError.
    """
    try:
        if path.stat().st_size < max_bytes:
            return False
    except FileNotFoundError:
        return False
    shutil.copyfile(path, older_part(path))
    os.truncate(path, 0)
    return True


def make_private_file(path: Path) -> None:
    """Makes an empty file for this user alone where there is none, so that nothing can make it readable for others.

    Raises OSError.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return

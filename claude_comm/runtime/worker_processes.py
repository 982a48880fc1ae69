"""The workers of one home folder: one process of each name at most, started in the background and stopped by name.

Law: a worker holds the lock on its file in `home/run` for as long as it lives, and nothing else says that it lives:
a pid left behind by a killed worker is not believed. The file tells which pid that is, what it serves, and whether it
works: what runs and cannot do its duty is not called running. When the file was last written, the worker came round.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from claude_comm.addresses import public
from claude_comm.errors import ClaudeCommError, ConfigurationError
from claude_comm.names import JANITOR_WORKER, NEGOTIATION_WORKER, PROGRESS_WORKER
from claude_comm.runtime.home import private_folder
from claude_comm.runtime.private_server import tail
from claude_comm.runtime.service_manager import ServiceManager
from claude_comm.settings import PREFIX, Settings

WORKERS = (NEGOTIATION_WORKER, PROGRESS_WORKER, JANITOR_WORKER)
# Shown wherever a cluster has no negotiation worker.
NO_JOBS = (
    "on a cluster the negotiation worker needs a server of its own, since RQ runs on no cluster: set "
    "CLAUDE_COMM_CONTROL_URL. Without it, the requesting process runs the check itself."
)

# Importing all that a worker stands on was seen to take 3 s on a busy machine of two cores.
START_TIMEOUT_S = 30.0
# A worker finishes the job at hand, which may take `jobs.JOB_TIMEOUT_S`.
STOP_TIMEOUT_S = 40.0
# Between taking its lock and saying who it is, a worker does nothing.
_SAY_TIMEOUT_S = 1.0
_POLL_S = 0.01
# How much of an error is kept beside the pid.
MAX_TROUBLE = 500
# How often a worker that comes round marks its file; and when one that has not is silent: it was stopped, or hangs. A
# supervisor waits as long (`WatchdogSec` of the systemd unit).
MARK_EVERY_S, SILENT_S = 10.0, 120.0


# What a worker says about itself each time that it comes round: "" that it does its work, else why it does not.
Report: TypeAlias = Callable[[str], None]


def unheard(_trouble: str) -> None:
    """The report of a worker that nobody has claimed to be one of a home."""


class Service(msgspec.Struct, frozen=True):
    """A worker that lives: which process on which host, since when (microseconds), and the streams that it serves.

    `trouble` is why it does not do its work, while it `waits` for that to change; or how long it has been `silent`.
    """

    name: str
    pid: int
    host: str
    since_us: int
    namespace: str
    url: str
    state: Literal["starting", "works", "waits", "silent"] = "starting"
    trouble: str = ""


class WorkerRuns(ClaudeCommError):
    """A worker of that name lives in this home already."""

    def __init__(self, service: Service) -> None:
        self.service = service
        super().__init__(
            f"{service.name} runs already (process {service.pid}, namespace {service.namespace!r}): "
            + ("`claude-comm down` stops it." if service.name in WORKERS else "wait for it to end.")
        )


class WorkerFailed(ClaudeCommError):
    """A worker did not come up, or does not stop."""


def able(settings: Settings) -> tuple[str, ...]:
    """The workers that can run with these settings."""
    return tuple(name for name in WORKERS if name != NEGOTIATION_WORKER or settings.runs_jobs)


@contextmanager
def claim(settings: Settings, name: str) -> Iterator[Report]:
    """This process is the worker of that name while the block lasts, in which it says whether it works.

    Raises WorkerRuns.
    """
    descriptor = _open(settings.home, name)
    try:
        while not _lock(descriptor, fcntl.LOCK_EX):
            # Somebody may only be asking: that takes the lock for a moment too.
            if service := running(settings.home, name):
                raise WorkerRuns(service)
            time.sleep(_POLL_S)
        me = Service(name, os.getpid(), _host(), time.time_ns() // 1000, settings.namespace, public(settings.url))
        os.ftruncate(descriptor, 0)
        _write(descriptor, me)
        manager = ServiceManager(os.environ, me.pid)
        yield _reporter(descriptor, me, manager)
        manager.stopping()
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _reporter(descriptor: int, me: Service, manager: ServiceManager) -> Report:
    """Writes down what is new, and lets a supervisor know that the worker goes on."""
    written, mark_at = me, 0.0

    def report(trouble: str) -> None:
        nonlocal written, mark_at
        manager.state(trouble)
        if time.monotonic() >= mark_at:
            mark_at = time.monotonic() + MARK_EVERY_S
            os.utime(descriptor)
        state: Literal["works", "waits"] = "waits" if trouble else "works"
        if (state, trouble[:MAX_TROUBLE]) != (written.state, written.trouble):
            written = msgspec.structs.replace(me, state=state, trouble=trouble[:MAX_TROUBLE])
            _write(descriptor, written)

    return report


def running(home: Path, name: str) -> Service | None:
    """The worker of that name, if it lives."""
    if not (home / "run" / f"{name}.pid").exists():
        return None
    descriptor = _open(home, name)
    try:
        deadline = time.monotonic() + _SAY_TIMEOUT_S
        while not _lock(descriptor, fcntl.LOCK_SH):
            with suppress(msgspec.MsgspecError):
                return _heard(descriptor, msgspec.json.decode(os.pread(descriptor, 65536, 0), type=Service))
            # It has the lock and is about to write who it is, or is about to leave; or others wrote into the file.
            if time.monotonic() > deadline:
                return Service(name, 0, "", 0, "", "")
            time.sleep(_POLL_S)
        return None
    finally:
        os.close(descriptor)


def _heard(descriptor: int, service: Service) -> Service:
    """The worker as its file tells of it, or silent where it has not come round for long."""
    silent_s = time.time() - os.fstat(descriptor).st_mtime
    if silent_s <= SILENT_S:
        return service
    trouble = f"it has not come round for {silent_s:.0f} s: it was stopped, or hangs; `claude-comm down` ends it"
    return msgspec.structs.replace(service, state="silent", trouble=trouble)


def awake(home: Path, name: str) -> bool:
    """Whether the worker of that name lives and comes round."""
    service = running(home, name)
    return service is not None and service.state != "silent"


def start(settings: Settings, *names: str) -> list[Service]:
    """The workers of these names, which live by the time this returns, and say whether they work; started in the
    background, side by side, if need be.

    Raises WorkerFailed with the end of a log, or ConfigurationError where one serves another namespace or server.
    """
    with _exclusive(settings.home):
        spawned = {name: spawn(settings, name) for name in names if running(settings.home, name) is None}
        for name in names:
            _hold_to(settings, _await_start(settings.home, name, *spawned[name]) if name in spawned else None, name)
    return [_await_word(settings.home, name) for name in names]


def _hold_to(settings: Settings, service: Service | None, name: str) -> None:
    """Raises ConfigurationError for a worker that serves something else."""
    service = service or running(settings.home, name)
    if service is None:
        raise WorkerFailed(
            f"the {name} worker ended as soon as it had started; its log is in {settings.home / 'logs'}."
        )
    if (service.namespace, service.url) != (settings.namespace, public(settings.url)):
        raise ConfigurationError(
            f"the {name} worker of {settings.home} serves namespace {service.namespace!r}, not {settings.namespace!r} "
            "on this server. Run `claude-comm down` first, or set another CLAUDE_COMM_HOME."
        )


def _await_word(home: Path, name: str) -> Service:
    """The worker, once it has reported its state; one that is silent for `START_TIMEOUT_S` still counts as starting."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while (service := running(home, name)) is None or (service.state == "starting" and time.monotonic() < deadline):
        if service is None:
            raise WorkerFailed(f"the {name} worker ended; its log ends:\n{tail(home / 'logs' / f'{name}.log')}")
        time.sleep(_POLL_S)
    return service


def stop(home: Path, name: str) -> bool:
    """Has the worker finish what it is at and end; False if none lives. Raises WorkerFailed."""
    service = running(home, name)
    if service is None:
        return False
    if service.host != _host():
        raise WorkerFailed(f"the {name} worker runs on {service.host!r} (process {service.pid}): stop it there.")
    deadline = time.monotonic() + STOP_TIMEOUT_S
    _terminate(service.pid)
    while running(home, name) is not None:
        if time.monotonic() > deadline:
            raise WorkerFailed(f"the {name} worker (process {service.pid}) does not stop.")
        time.sleep(_POLL_S)
    return True


def spawn(settings: Settings, name: str, *, to_log: bool = True) -> tuple[subprocess.Popen[bytes], Path]:
    """A new process for that worker, in a session of its own; its words go to the log file or to our stderr."""
    log = _folder(settings.home, "logs") / f"{name}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            # -P: what lies in the working folder is not imported in place of what is installed.
            [sys.executable, "-P", "-m", "claude_comm", "worker", name],
            cwd=_folder(settings.home, "run"),
            env=environ_for(settings),
            stdin=subprocess.DEVNULL,
            stdout=file if to_log else sys.stderr,
            stderr=file if to_log else sys.stderr,
            start_new_session=True,
        )
    return process, log


def _await_start(home: Path, name: str, process: subprocess.Popen[bytes], log: Path) -> Service:
    deadline = time.monotonic() + START_TIMEOUT_S
    while (service := running(home, name)) is None:
        code = process.poll()
        if code is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise WorkerFailed(f"the {name} worker did not start (exit {code}); its log {log} ends:\n{tail(log)}")
        time.sleep(_POLL_S)
    # It outlives this process on purpose; without this, Python would warn that a child was left running.
    process.returncode = 0
    return service


def environ_for(settings: Settings) -> dict[str, str]:
    """Our environment with exactly these settings, whatever file they came from; and this very package to import."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {PREFIX + name.upper(): str(getattr(settings, name)) for name in Settings.__struct_fields__}
    root = str(Path(__file__).parents[2])
    return {**kept, **given, "PYTHONPATH": os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH"))))}


def _host() -> str:
    return os.uname().nodename.encode(errors="backslashreplace").decode()


def _terminate(pid: int) -> None:
    if pid:
        try:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)  # one that was stopped hears nothing else
        except ProcessLookupError:
            return  # killed a moment ago; a child of it that holds the lock ends by itself


def _open(home: Path, name: str) -> int:
    path = _folder(home, "run") / f"{name}.pid"
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}. Set CLAUDE_COMM_HOME.") from None


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ConfigurationError(
            f"the file system of the home folder has no locks ({error.strerror}). Set CLAUDE_COMM_HOME to a local one."
        ) from None
    return True


def _write(descriptor: int, service: Service) -> None:
    """In one write: what was longer before is blank behind it, so that a reader never sees half of each."""
    text = msgspec.json.encode(service)
    os.pwrite(descriptor, text.ljust(os.fstat(descriptor).st_size), 0)


@contextmanager
def _exclusive(home: Path) -> Iterator[None]:
    """One process at a time starts workers in this home."""
    descriptor = _open(home, "starting")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _folder(home: Path, name: str) -> Path:
    private_folder(home)
    return private_folder(home / name)

"""A process that has collected the tests and forks for each change: the fork runs those that run the changed line.

Law: nothing is imported or collected anew. The fork gives the code of the changed function to the function that is
there already, and forgets what was remembered (`lru_cache`). Not for what runs at the import of a module, nor where a
change alters what a function closes over: those are answered `REFUSED`.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import mmap
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest
from _pytest.runner import runtestprotocol
from changes import ChangedModule, Mutant, changed, code_of

# A test that takes so many times its own processor time, and so many seconds more, goes round for ever.
TIMES, SECONDS = 4.0, 2.0
# By the wall, for what waits and uses no processor; and so many bytes beyond what the process has.
MOST_WALL_S, MOST_BYTES = 120, 2 << 30

# Python, pytest and the tests' files are read and imported in so many seconds of processor.
START_S = 30.0

MEASURING_S = 3600

NOTICED, BROKEN, REFUSED = 1, 70, 71


class Measured(NamedTuple):
    """What each test takes (seconds of processor, with each line counted) and which tests run each line of a file."""

    seconds: dict[str, float]
    tests: dict[Path, dict[int, list[str]]]


class Outcome(NamedTuple):
    fate: str
    # The last test begun: the one that noticed, or that did not end.
    test: str = ""
    tests: int = 0


# What no test runs, but perhaps the import of the module does.
REFUSED_OUTCOME = Outcome("refused")


class WarmTests:
    """A plugin of pytest that, in place of running what was collected, hands itself to a function that uses it."""

    def __init__(self, use: Callable[[WarmTests], None]) -> None:
        self.use = use
        self.items: dict[str, pytest.Item] = {}
        self.noticing: Counter[tuple[Path, str, str]] = Counter()
        # The place of the test that a fork has begun last, which it tells by this memory.
        self.current = mmap.mmap(-1, 8)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """An example that fails is enough: none is made smaller, or kept for the next change."""
        import hypothesis

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("warm", parent=hypothesis.settings(), phases=phases, database=None)
        hypothesis.settings.load_profile("warm")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        gc.unfreeze()
        living = gc.get_objects()
        self.functions = [value for value in living if isinstance(value, FunctionType) and is_ours(value)]
        self.remembering = [
            value for value in living if isinstance(value, functools._lru_cache_wrapper) and is_ours(value.__wrapped__)
        ]
        del living
        gc.freeze()
        self.use(self)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """A failure is not described, which takes far longer than it."""
        if call.excinfo is None or item.get_closest_marker("xfail") is not None:
            return
        if not isinstance(call.excinfo.value, pytest.skip.Exception):
            os._exit(NOTICED)

    def forget(self) -> None:
        for function in self.remembering:
            function.cache_clear()

    def run(self, tests: Sequence[str], before: Callable[[str], object]) -> None:
        """Ends the process at the first failure. `before` is handed the id of each test."""
        items = [self.items[test] for test in tests]
        for place, (item, after) in enumerate(zip(items, [*items[1:], None], strict=True)):
            self.current[:] = place.to_bytes(8, "little")
            before(item.nodeid)
            runtestprotocol(item, log=False, nextitem=after)

    def measured(self, files: Sequence[Path], result: Path) -> Measured:
        """Each test alone, in a fork, with nothing remembered; kept in the file of the result."""
        tests = list(self.items)
        self.current = mmap.mmap(-1, 8)
        if code := in_fork(lambda: self._measure(tests, files, result), MEASURING_S):
            last = tests[int.from_bytes(self.current[:], "little")]
            raise RuntimeError(f"without any change, the tests end with {code} at {last}")
        return read(result)

    def _measure(self, tests: Sequence[str], files: Sequence[Path], result: Path) -> None:
        import coverage

        lines = coverage.Coverage(data_file=None, config_file=False, include=[str(file.resolve()) for file in files])
        began: dict[str, float] = {}

        def before(test: str) -> None:
            self.forget()
            lines.switch_context(test)
            began[test] = time.process_time()

        lines.start()
        self.run(tests, before)
        lines.stop()
        moments = [*began.values(), time.process_time()]
        seconds = {test: moments[place + 1] - moments[place] for place, test in enumerate(began)}
        data = lines.get_data()
        contexts = {file: data.contexts_by_lineno(str(file.resolve())) for file in files}
        known = {
            file: {line: [test for test in of_line if test] for line, of_line in of_file.items()}
            for file, of_file in contexts.items()
        }
        result.write_bytes(pickle.dumps(Measured(seconds, known)))

    def outcome(self, mutant: Mutant, tests: Sequence[str], measured: Measured) -> Outcome:
        """What becomes of a change on these tests: first those that have noticed another change of the function."""
        where = (mutant.file, mutant.place.function)
        tests = [test for test in tests if test in self.items]
        tests.sort(key=lambda test: (-self.noticing[(*where, test)], measured.seconds[test]))
        self.current = mmap.mmap(-1, 8)
        code = in_fork(lambda: self._try(mutant, tests, measured), MOST_WALL_S)
        last = int.from_bytes(self.current[:], "little")
        if code == REFUSED:
            return REFUSED_OUTCOME
        outcome = Outcome(fate_of(code), tests[last] if code else "", last + 1)
        self.noticing[(*where, outcome.test)] += outcome.fate == "killed"
        return outcome

    def _try(self, mutant: Mutant, tests: Sequence[str], measured: Measured) -> None:
        if not self.change(mutant):
            os._exit(REFUSED)
        self.forget()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, used + MOST_BYTES))
        self.run(tests, lambda test: signal.setitimer(signal.ITIMER_PROF, TIMES * measured.seconds[test] + SECONDS))

    def change(self, mutant: Mutant) -> bool:
        """Gives the changed code to the functions that are there; False where that cannot be."""
        path = str(mutant.file.resolve())
        codes = {
            (code.co_qualname, code.co_firstlineno): code
            for code in nested(compile(changed(mutant.file, mutant.number), path, "exec"))
        }
        given = False
        for function in self.functions:
            before = function.__code__
            after = codes.get((before.co_qualname, before.co_firstlineno))
            if before.co_filename != path or after is None or after == before:
                continue
            if after.co_freevars != before.co_freevars:
                return False
            function.__code__ = after
            given = True
        return given


def is_ours(function: object) -> bool:
    """Whether it is of the folder that this was started in, and no package installed there."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    return code.co_filename.startswith(f"{Path.cwd()}/") and "site-packages" not in code.co_filename


def nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def running(mutant: Mutant, measured: Measured) -> list[str]:
    """The tests that run a statement; where it has no line of its own, those that run what is before it."""
    of_file, place = measured.tests.get(mutant.file, {}), mutant.place
    statement, before = range(place.first, place.last + 1), range(place.outermost, place.first)
    lines = before if lines_of(mutant.file).isdisjoint(statement) else statement
    return list(dict.fromkeys(test for line in lines for test in of_file.get(line, ()))) if place.outermost else []


@functools.cache
def lines_of(file: Path) -> frozenset[int]:
    """The lines that a file's code has."""
    codes = nested(compile(code_of(file), file, "exec"))
    return frozenset(line for code in codes for *_, line in code.co_lines() if line is not None)


def running_file(mutant: Mutant, measured: Measured) -> list[str]:
    return list(dict.fromkeys(test for tests in measured.tests.get(mutant.file, {}).values() for test in tests))


def fate_of(code: int) -> str:
    """Of the exit code of the tests."""
    if code == BROKEN:
        raise RuntimeError("the process that runs the tests has ended of itself")
    if code == 0:
        return "survived"
    return "timed out" if code in (-signal.SIGPROF, -signal.SIGALRM) else "killed"


def in_fork(work: Callable[[], int | None], most_s: int = 0) -> int:
    """The exit code of the work in a forked process. With a time (by the wall) it ends then, and what it began."""
    child = forked(work, most_s)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if most_s:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    return code


def forked(work: Callable[[], int | None], most_s: int = 0) -> int:
    """The process."""
    child = os.fork()
    if child == 0:
        code = BROKEN
        try:
            if most_s:
                os.setsid()
                signal.alarm(most_s)
                silence()
            code = work() or 0
        except BaseException:  # noqa: BLE001  nothing may go on in what is a copy
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


class Only:
    """A plugin of pytest that runs those tests alone, in that order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self.places), key=lambda item: self.places[item.nodeid]
        )


def imported(mutant: Mutant, tests: Sequence[str], measured: Measured, options: Sequence[str]) -> Outcome:
    """What becomes of a change where a new process imports the changed module before the tests."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    seconds = sum(measured.seconds[test] for test in tests)

    def work() -> int:
        signal.setitimer(signal.ITIMER_PROF, TIMES * seconds + START_S)
        finder = ChangedModule(mutant)
        sys.meta_path.insert(0, finder)
        try:
            # Before pytest, whose own finder would come first.
            importlib.import_module(finder.name)
        except Exception:  # noqa: BLE001  whatever it raises is noticed
            return NOTICED
        return int(pytest.main([*options, *files], plugins=[Only(tests)]))

    return Outcome(fate_of(in_fork(work, MOST_WALL_S + int(TIMES * seconds))), "", len(tests))


def read(result: Path) -> Measured:
    measured: Any = pickle.loads(result.read_bytes())
    return Measured(*measured)


def use_warm_tests(options: Sequence[str], use: Callable[[WarmTests], None]) -> int:
    """pytest's exit code; `use` runs once everything is collected."""
    return int(pytest.main([*options, "-s"], plugins=[WarmTests(use)]))

